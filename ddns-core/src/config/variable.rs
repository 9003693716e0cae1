/// A variable of the environment, as documented and as checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variable {
    /// Its whole name.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it is for: one or two sentences.
    pub help: &'static str,
}

/// What a variable may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A text that must be set.
    Required {
        /// What it looks like.
        format: &'static str,
    },
    /// A text that may be missing.
    Optional {
        /// What it looks like.
        format: &'static str,
    },
    /// A text with a default.
    Text {
        /// What it looks like.
        format: &'static str,
        /// Without the variable.
        default: &'static str,
    },
    /// A secret, also from a file named by `<NAME>_FILE` or from `$CREDENTIALS_DIRECTORY/<name>`.
    Secret,
    /// A secret that may be missing.
    OptionalSecret,
    /// One of some words.
    Choice {
        /// The words.
        values: &'static [&'static str],
        /// Without the variable.
        default: &'static str,
    },
    /// The name of a registered plug-in.
    Plugin {
        /// Without the variable.
        default: &'static str,
    },
    /// A whole number; the unit is the name's last word.
    Number {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
        /// Without the variable.
        default: u64,
    },
}

impl Kind {
    /// Whether what the variable holds is never shown.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::OptionalSecret)
    }

    /// What the variable holds where it isn't set; `None` if there is no such value.
    pub fn default_text(&self) -> Option<String> {
        match self {
            Self::Required { .. } | Self::Optional { .. } | Self::Secret | Self::OptionalSecret => None,
            Self::Text { default, .. } | Self::Choice { default, .. } | Self::Plugin { default } => {
                Some((*default).to_owned())
            }
            Self::Number { default, .. } => Some(default.to_string()),
        }
    }

    /// What it may hold, in words.
    pub fn format(&self) -> String {
        match self {
            Self::Required { format } => format!("{format} (required)"),
            Self::Optional { format } | Self::Text { format, .. } => (*format).to_owned(),
            Self::Secret => "secret (required)".to_owned(),
            Self::OptionalSecret => "secret".to_owned(),
            Self::Choice { values, .. } => values.join(", "),
            Self::Plugin { .. } => "a plug-in's name".to_owned(),
            Self::Number { min, max, .. } => format!("{min} to {max}"),
        }
    }
}
