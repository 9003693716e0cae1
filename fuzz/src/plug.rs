use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::error_chain;
use ddns_core::ports::{
    Credentials, HttpError, HttpRequest, HttpResponse, HttpTransport, Phase, PlugAddress, PlugError, PlugOrder,
    PowerSwitches,
};
use ddns_plug::Plugs;
use futures_util::FutureExt;

const SECRET: &str = "correct-horse";
/// What switches power off: nobody may be asked for it before the device has been read.
const OFF: [&str; 4] = ["turn=off", "on=false", "Power1%200", "/off"];

/// Gives one answer after the other, then none.
struct Script {
    answers: Mutex<VecDeque<HttpResponse>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl HttpTransport for Script {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let plain = request.path.starts_with('/') && request.path.chars().all(|c| c.is_ascii_graphic());
        assert!(plain && !request.path.contains(SECRET), "{:?}", request.path);
        assert!(!format!("{request:?}").contains(SECRET), "a secret is told");
        if let Some(Credentials::Digest(field)) = &request.credentials {
            let field = secrecy::ExposeSecret::expose_secret(field);
            assert!(field.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && !field.contains(SECRET), "{field:?}");
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request.path);
        let next = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.ok_or_else(|| HttpError::Timeout { origin: "script".to_owned(), phase: Phase::Answer })
    }
}

/// Answers of a plug, one a line: `status body`. Each is its own challenge too.
pub fn plug_answer(text: &[u8]) {
    let answers: VecDeque<HttpResponse> = text.split(|octet| *octet == b'\n').map(answer).collect();
    for kind in ["shelly1", "shelly2", "tasmota", "http"] {
        for order in [PlugOrder::Look, PlugOrder::Off { back_on: Duration::from_secs(30) }, PlugOrder::On] {
            carry_out(kind, order, answers.clone());
        }
    }
}

fn carry_out(kind: &str, order: PlugOrder, answers: VecDeque<HttpResponse>) {
    let script = Arc::new(Script { answers: Mutex::new(answers), asked: Mutex::default() });
    let transport: Arc<dyn HttpTransport> = Arc::<Script>::clone(&script);
    let details = [
        ("on", "/on"),
        ("off", "/off?after={seconds}"),
        ("state", "/state"),
        ("state_on", "/relay/on=true"),
        ("state_off", "\"on\":false"),
    ];
    let details: BTreeMap<_, _> = details.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let plug = PlugAddress { kind: kind.to_owned(), endpoint: "http://192.0.2.9:80".to_owned(), details };
    let plugs = Plugs::with_login(plug.clone(), "admin", SECRET.into(), Arc::new(move |_| Arc::clone(&transport)));
    let outcome = plugs.open(&plug).carry_out(order).now_or_never().expect("the script answers at once");
    let asked = std::mem::take(&mut *script.asked.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(asked.len() <= 16, "{asked:?}");
    let off = asked.iter().position(|path| OFF.iter().any(|off| path.contains(off)));
    assert!(off != Some(0) && (off.is_none() || matches!(order, PlugOrder::Off { .. })), "{asked:?}");
    match outcome {
        Ok(report) => assert!(kind == "http" || order == PlugOrder::On || report.device.is_some(), "{report:?}"),
        Err(error) => {
            let told = format!("{} {error:?}", error_chain(&error));
            assert!(!told.contains('\n') && !told.contains(SECRET), "{told}");
            let gone = matches!(error, PlugError::Unreachable { .. });
            assert!(!gone || off.is_none(), "an off that may have worked: {told}");
        }
    }
}

fn answer(line: &[u8]) -> HttpResponse {
    let (status, body) = line.split_at_checked(4).unwrap_or((b"", line));
    let status = str::from_utf8(status).ok().and_then(|status| status.trim().parse().ok());
    let authenticate = str::from_utf8(body).ok().map(ToOwned::to_owned);
    HttpResponse { status: status.unwrap_or(200), authenticate, body: body.to_vec(), ..HttpResponse::default() }
}
