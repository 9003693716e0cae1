use std::sync::Arc;

use ddns_core::config::{Endpoint, Kind, Settings, Variable};
use ddns_core::ports::DnsProvider;
use ddns_core::registry::{Factory, Parts};

use crate::{Cloudflare, IpList};

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
    kind: Kind::Optional { format: ID },
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
/// The account of the list.
pub const LIST_ACCOUNT_ID: Variable = Variable {
    name: "DDNS_PROVIDER_LIST_ACCOUNT_ID",
    kind: Kind::Optional { format: ID },
    help: "Cloudflare: the id of the account that has the list of `DDNS_PROVIDER_LIST_ID`.",
};
/// The list.
pub const LIST_ID: Variable = Variable {
    name: "DDNS_PROVIDER_LIST_ID",
    kind: Kind::Optional { format: ID },
    help: "Cloudflare: the id of an IP list that the addresses of the records are kept in, for rules that name it; of IPv6 \
           the /64. The token needs Account / Account Filter Lists / Edit. Needs `DDNS_PROVIDER_LIST_ACCOUNT_ID`.",
};
const ID: &str = "32 hexadecimal digits";
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
        &[API_TOKEN, ZONE_ID, API_URL, COMMENT, LIST_ACCOUNT_ID, LIST_ID]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn DnsProvider>> {
        let token = settings.secret(&API_TOKEN);
        let zone_id = settings.parsed(&ZONE_ID, |text| parse_id(text, "not a zone's id"));
        let comment = settings.parsed(&COMMENT, parse_comment);
        let list = read_list(settings, comment.as_ref());
        let endpoint = settings.parsed(&API_URL, Endpoint::parse)?;
        if !endpoint.secure {
            settings.warn(&API_URL, "plain http:// sends the token in the clear", "use https://");
        }
        let (token, transport) = (token?, || (parts.transports)(&endpoint));
        let list = list.map(|ListAt { account, list, mark }| {
            IpList::new(transport(), token.clone(), Arc::clone(&parts.clock), &account, &list, &mark)
        });
        Some(Arc::new(Cloudflare::new(transport(), token, zone_id).with_comment(comment?).with_list(list)))
    }
}

struct ListAt {
    account: String,
    list: String,
    mark: String,
}

/// Both ids or neither, and a mark by which our items are known.
fn read_list(settings: &mut Settings<'_>, comment: Option<&Option<String>>) -> Option<ListAt> {
    let mut id = |variable, wrong| {
        let set = settings.text(variable).is_some();
        (set, settings.parsed(variable, |text| parse_id(text, wrong)))
    };
    let (has_account, account) = id(&LIST_ACCOUNT_ID, "not an account's id");
    let (has_list, list) = id(&LIST_ID, "not a list's id");
    match (has_account, has_list) {
        (true, false) => {
            settings.problem(&LIST_ACCOUNT_ID, "an account, and no list", "set DDNS_PROVIDER_LIST_ID too, or neither")
        }
        (false, true) => {
            settings.problem(&LIST_ID, "a list, and no account", "set DDNS_PROVIDER_LIST_ACCOUNT_ID too, or neither")
        }
        (true, true) if comment == Some(&None) => {
            let reason = "without a mark our items in the list of DDNS_PROVIDER_LIST_ID can't be told from others";
            settings.problem(&COMMENT, reason, "unset it, or give a comment");
        }
        (true, true) | (false, false) => {}
    }
    Some(ListAt { account: account?, list: list?, mark: comment.cloned()?? })
}

fn parse_id(text: &str, wrong: &str) -> Result<String, String> {
    let hex = text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit());
    if hex { Ok(text.to_ascii_lowercase()) } else { Err(wrong.to_owned()) }
}

fn parse_comment(text: &str) -> Result<Option<String>, String> {
    match text {
        "none" => Ok(None),
        _ if text.chars().count() > LONGEST_COMMENT => Err(format!("longer than {LONGEST_COMMENT} characters")),
        _ if text.chars().any(char::is_control) => Err("not one line".to_owned()),
        _ => Ok(Some(text.to_owned())),
    }
}
