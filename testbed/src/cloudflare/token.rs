//! The one API token that the double knows.

use serde_json::json;

use super::answer::{Answer, ApiError};

/// What becomes of requests that carry the right token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// They are served.
    Active,
    /// The token was revoked: 401 where it is verified, 403 elsewhere.
    Revoked,
    /// The token is valid and lacks the permission for zones and records: 403, code 10000.
    WithoutPermission,
    /// The token is valid and may only read: writes are answered with 403, code 10000.
    ReadOnly,
    /// The token is an account's, none of a user's: it can't be verified where those are, and is served.
    OfAnAccount,
    /// The token is known, and out of date.
    Expired,
}

pub(super) struct Token {
    pub(super) value: String,
    pub(super) state: TokenState,
}

impl Token {
    /// `verifying` is set for the verification of the token itself, which is told about its defects in other words.
    pub(super) fn check(&self, authorization: Option<&str>, verifying: bool, writing: bool) -> Result<(), ApiError> {
        let header = authorization.ok_or_else(ApiError::no_credentials)?;
        let given = header.strip_prefix("Bearer ").filter(|token| !token.trim().is_empty());
        let given = given.ok_or_else(ApiError::bad_header)?;
        let known = given == self.value && self.state != TokenState::Revoked;
        match (known, verifying, self.state) {
            (false, true, _) => Err(ApiError::unknown_token()),
            (false, false, _) => Err(ApiError::invalid_access_token()),
            (true, true, TokenState::OfAnAccount) => Err(ApiError::unknown_token()),
            (true, false, TokenState::WithoutPermission) => Err(ApiError::unauthorized()),
            (true, false, TokenState::ReadOnly) if writing => Err(ApiError::unauthorized()),
            (true, false, TokenState::Expired) => Err(ApiError::invalid_access_token()),
            (true, ..) => Ok(()),
        }
    }
}

pub(super) fn verified(state: TokenState) -> Answer {
    let id = "ed17574386854bf78a67040be0a770b0";
    if state == TokenState::Expired {
        return Answer::result(json!({"id": id, "status": "expired", "expires_on": "2026-01-01T00:00:00Z"}));
    }
    let mut answer = Answer::result(json!({"id": id, "status": "active"}));
    answer.body["messages"] = json!([{"code": 10000, "message": "This API Token is valid and active", "type": null}]);
    answer
}
