use std::sync::Arc;

use ddns_core::config::{Endpoint, Kind, Settings, Variable};
use ddns_core::ports::DnsProvider;
use ddns_core::registry::{Factory, Parts};

use crate::Cloudflare;

pub(crate) const NAME: &str = "cloudflare";

/// The token.
pub const API_TOKEN: Variable = Variable {
    name: "DDNS_PROVIDER_API_TOKEN",
    kind: Kind::Secret,
    help: "Cloudflare: an API token with Zone:Read and DNS:Edit on the zone. Better in a file: \
           `DDNS_PROVIDER_API_TOKEN_FILE`, or systemd's `LoadCredential=ddns_provider_api_token:PATH`.",
};
/// The zone.
pub const ZONE_ID: Variable = Variable {
    name: "DDNS_PROVIDER_ZONE_ID",
    kind: Kind::Optional { format: "32 hexadecimal digits" },
    help: "Cloudflare: the zone's id. Without it the zone is found by the records' names.",
};
/// The API.
pub const API_URL: Variable = Variable {
    name: "DDNS_PROVIDER_API_URL",
    kind: Kind::Text { format: "an https:// URL", default: "https://api.cloudflare.com/client/v4" },
    help: "The base URL of the provider's API.",
};

/// The mark.
pub const COMMENT: Variable = Variable {
    name: "DDNS_PROVIDER_COMMENT",
    kind: Kind::Text { format: "a line of at most 100 characters, or none", default: MARK },
    help: "Cloudflare: the comment of records that ddnsd creates, by which it knows its own among several of one name; \
           those of existing records stay. Hosts that share an account tell theirs apart by it. `none` for none.",
};
pub(crate) const MARK: &str = "managed by ddnsd";
/// What a comment may have on every plan.
const LONGEST_COMMENT: usize = 100;

/// Makes [`Cloudflare`].
pub struct CloudflareFactory;

impl Factory<dyn DnsProvider> for CloudflareFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn variables(&self) -> &'static [Variable] {
        &[API_TOKEN, ZONE_ID, API_URL, COMMENT]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn DnsProvider>> {
        let token = settings.secret(&API_TOKEN);
        let zone_id = settings.parsed(&ZONE_ID, |text| {
            let hex = text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit());
            if hex { Ok(text.to_ascii_lowercase()) } else { Err("not a zone's id".to_owned()) }
        });
        let comment = settings.parsed(&COMMENT, parse_comment);
        let endpoint = settings.parsed(&API_URL, Endpoint::parse)?;
        if !endpoint.secure {
            settings.warn(&API_URL, "plain http:// sends the token in the clear", "use https://");
        }
        Some(Arc::new(Cloudflare::new((parts.transports)(&endpoint), token?, zone_id).with_comment(comment?)))
    }
}

fn parse_comment(text: &str) -> Result<Option<String>, String> {
    match text {
        "none" => Ok(None),
        _ if text.chars().count() > LONGEST_COMMENT => Err(format!("longer than {LONGEST_COMMENT} characters")),
        _ if text.chars().any(char::is_control) => Err("not one line".to_owned()),
        _ => Ok(Some(text.to_owned())),
    }
}
