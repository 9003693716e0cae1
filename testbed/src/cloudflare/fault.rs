//! Scripted answers.

use std::time::Duration;

use serde_json::Value;

use super::state::Shared;

/// One way in which an API can misbehave.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This status; without a body, an error envelope that fits the status.
    Status {
        /// The HTTP status.
        code: u16,
        /// The value of `Retry-After`, sensible or not.
        retry_after: Option<String>,
        /// The body, whatever it says.
        body: Option<Value>,
    },
    /// 200 with an HTML page, as from a captive portal.
    Html,
    /// 200 with half of a JSON body under a `Content-Length` for all of it, then the end of the connection.
    Truncated,
    /// 200 with a well-formed JSON body of at least this many bytes.
    Huge(u64),
    /// 200 with `success: false`.
    SuccessFalse,
    /// 200 with a body that is no JSON at all.
    Garbage,
    /// No answer until the client gives up.
    HangBeforeAnswer,
    /// The normal answer, after this long.
    Slow(Duration),
    /// The normal answer, which says that none is left of the window's requests for so many seconds.
    QuotaUsedUp(u64),
    /// The request takes effect, and the connection ends without an answer.
    ApplyThenDrop,
    /// The connection ends without an effect and without an answer.
    Drop,
    /// 200 and part of a body of unknown length, then the end of the connection.
    ResetMidBody,
    /// 302 to this URL.
    Redirect(String),
}

impl Fault {
    /// Just a status, for example 503.
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None, body: None }
    }

    /// 429 with this `Retry-After`.
    pub fn too_many_requests(retry_after: Option<&str>) -> Self {
        Self::Status { code: 429, retry_after: retry_after.map(str::to_owned), body: None }
    }
}

/// Which requests a scripted answer is for, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    method: Option<String>,
    path: Option<String>,
    times: usize,
}

impl Scope {
    /// The next request, whatever it is.
    pub fn next() -> Self {
        Self { method: None, path: None, times: 1 }
    }

    /// The next request with this method.
    pub fn method(method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..Self::next() }
    }

    /// Only under this path, counted from the base path on: `/zones`.
    #[must_use]
    pub fn under(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// For this many requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Until the script is cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    fn covers(&self, method: &str, endpoint: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own == method)
            && self.path.as_ref().is_none_or(|own| endpoint.starts_with(own.as_str()))
    }
}

/// The queue: the first entry that covers a request answers it.
#[derive(Default)]
pub(super) struct Script(Vec<(Scope, Fault)>);

impl Script {
    pub(super) fn take(&mut self, method: &str, endpoint: &str) -> Option<Fault> {
        let position = self.0.iter().position(|(scope, _)| scope.covers(method, endpoint))?;
        let (scope, fault) = &mut self.0[position];
        let fault = fault.clone();
        if scope.times != usize::MAX {
            scope.times -= 1;
        }
        if scope.times == 0 {
            self.0.remove(position);
        }
        Some(fault)
    }

    fn push(&mut self, scope: Scope, fault: Fault) {
        if scope.times > 0 {
            self.0.push((scope, fault));
        }
    }
}

/// The script of a running double.
pub struct Faults<'a> {
    shared: &'a Shared,
}

impl<'a> Faults<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self { shared }
    }

    /// For the next request that no earlier entry covers.
    pub fn push(&self, fault: Fault) {
        self.push_for(Scope::next(), fault);
    }

    /// For the requests in `scope`.
    pub fn push_for(&self, scope: Scope, fault: Fault) {
        self.shared.lock().script_mut().push(scope, fault);
    }

    /// How many entries are left.
    pub fn pending(&self) -> usize {
        self.shared.lock().script_mut().0.len()
    }

    /// Back to normal.
    pub fn clear(&self) {
        self.shared.lock().script_mut().0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_that_covers_a_request_answers_as_often_as_it_was_told() {
        let mut script = Script::default();
        script.push(Scope::method("PATCH").under("/zones").times(2), Fault::Html);
        script.push(Scope::next(), Fault::Garbage);
        assert_eq!(script.take("GET", "/zones"), Some(Fault::Garbage));
        assert_eq!(script.take("GET", "/zones"), None);
        assert_eq!(script.take("PATCH", "/user"), None);
        assert_eq!(script.take("PATCH", "/zones/1"), Some(Fault::Html));
        assert_eq!(script.take("PATCH", "/zones/1"), Some(Fault::Html));
        assert_eq!(script.take("PATCH", "/zones/1"), None);
        script.push(Scope::next().always(), Fault::SuccessFalse);
        assert!((0..100).all(|_| script.take("GET", "/") == Some(Fault::SuccessFalse)));
    }
}
