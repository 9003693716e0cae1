use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use secrecy::SecretString;

use super::secret::{check_secret, decode_secret};
use super::{Group, Kind, Variable};

/// Something wrong with the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The variable.
    pub variable: String,
    /// What it holds; never a secret.
    pub value: Option<String>,
    /// What is wrong with that.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={:?}: {}; {}", self.variable, value, self.reason, self.remedy),
            None => write!(f, "{}: {}; {}", self.variable, self.reason, self.remedy),
        }
    }
}

/// Reads the files that secrets lie in; the core itself opens nothing.
pub trait SecretFiles {
    /// The content, and whether other users may read it.
    fn read(&self, path: &Path) -> std::io::Result<SecretFile>;
}

/// A file that holds a secret.
pub struct SecretFile {
    /// Its content.
    pub content: Vec<u8>,
    /// Users other than the owner and the group may read it.
    pub world_readable: bool,
}

/// The environment while it is read: every value goes through here, and every problem is kept until all have been
/// looked at.
pub struct Settings<'a> {
    variables: BTreeMap<String, String>,
    providers: BTreeSet<String>,
    records: BTreeSet<u32>,
    group: Option<Group>,
    credentials: Option<String>,
    files: &'a dyn SecretFiles,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Settings<'a> {
    /// The environment's `DDNS_*` variables; all others but `CREDENTIALS_DIRECTORY` are passed over. An empty variable
    /// counts as not set. Names that are not among `known`, by themselves or in a [`Group`], are problems.
    pub fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        known: &[Variable],
        files: &'a dyn SecretFiles,
    ) -> Self {
        let (mut variables, mut credentials) = (BTreeMap::new(), None);
        for (name, value) in environment {
            if name == "CREDENTIALS_DIRECTORY" {
                credentials = Some(value);
            } else if name.starts_with("DDNS_") {
                variables.insert(name, value);
            }
        }
        let alone = |name: &str| known.iter().any(|variable| variable.name == name);
        let grouped = variables.keys().filter(|name| !alone(name));
        let providers = grouped.filter_map(|name| Group::provider_of(name)).map(str::to_owned).collect();
        let records = variables.keys().filter_map(|name| Group::record_of(name)).collect();
        let (problems, warnings, group) = (Vec::new(), Vec::new(), None);
        let mut settings = Self { variables, providers, records, group, credentials, files, problems, warnings };
        settings.refuse_unknown(known);
        settings.variables.retain(|_, value| !value.is_empty());
        settings
    }

    fn refuse_unknown(&mut self, known: &[Variable]) {
        let groups = self.providers.iter().map(|name| self.provider_group(name));
        let groups: Vec<Group> = groups.chain(self.records.iter().map(|number| Group::record(*number))).collect();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for variable in known {
            let grouped = groups.iter().filter(|group| group.has(variable)).map(|group| group.name(variable));
            let alone = Some(variable.name.to_owned()).filter(|name| !name.contains('<'));
            for name in grouped.chain(alone) {
                if variable.kind.is_secret() {
                    names.insert(format!("{name}_FILE"));
                }
                names.insert(name);
            }
        }
        for name in &self.providers {
            let begins = format!("{}_", self.provider_group(name).prefix);
            if let Some(taken) = known.iter().find(|variable| variable.name.starts_with(&begins)) {
                self.problems.push(Problem {
                    variable: format!("{begins}TYPE"),
                    value: None,
                    reason: format!("{name} can't be a provider's name: {} begins like it", taken.name),
                    remedy: "choose another name".to_owned(),
                });
            }
        }
        let (unknown, mut read): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.variables).into_iter().partition(|(name, _)| !names.contains(name));
        std::mem::swap(&mut self.variables, &mut read);
        self.problems.extend(unknown.keys().map(|name| refuse(name, &names, known)));
    }

    /// The group of a named provider.
    pub fn provider_group(&self, name: &str) -> Group {
        let kind = self.variables.get(&format!("DDNS_PROVIDER_{name}_TYPE"));
        Group::provider(name, kind.map_or("", String::as_str))
    }

    /// The names of providers whose `DDNS_PROVIDER_<NAME>_TYPE` is set.
    pub const fn provider_names(&self) -> &BTreeSet<String> {
        &self.providers
    }

    /// The numbers of the records of which any `DDNS_RECORD_<N>_…` is set.
    pub const fn record_numbers(&self) -> &BTreeSet<u32> {
        &self.records
    }

    /// What `read` reads is what is set in this group; `None` reads what is set for all.
    pub fn within<T>(&mut self, group: Option<&Group>, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.group, group.cloned());
        let value = read(self);
        self.group = outer;
        value
    }

    /// The name under which a variable is looked for.
    fn name(&self, variable: &Variable) -> String {
        match &self.group {
            Some(group) if group.has(variable) => group.name(variable),
            Some(_) | None => variable.name.to_owned(),
        }
    }

    /// A value as it stands, or the default.
    fn raw(&self, variable: &Variable) -> Option<String> {
        self.variables.get(&self.name(variable)).cloned().or_else(|| variable.kind.default_text())
    }

    /// A text; `None` if it is missing, which is a problem for a required one.
    pub fn text(&mut self, variable: &Variable) -> Option<String> {
        let value = self.raw(variable);
        if value.is_none()
            && let Kind::Required { format } = variable.kind
        {
            self.problem(variable, "not set", &format!("set it to {format}"));
        }
        value
    }

    /// The parts of a comma list, trimmed; empty parts are a problem.
    pub fn list(&mut self, variable: &Variable) -> Vec<String> {
        let Some(text) = self.text(variable) else { return Vec::new() };
        let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        if parts.iter().any(String::is_empty) {
            self.problem(variable, "an entry of the list is empty", "remove the comma too many");
        }
        parts.into_iter().filter(|part| !part.is_empty()).collect()
    }

    /// A text made into something else.
    pub fn parsed<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(variable)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                let remedy = format!("use {}", variable.kind.format());
                self.problem(variable, &reason, &remedy);
                None
            }
        }
    }

    /// A number; the default if it is wrong, which is a problem.
    pub fn number(&mut self, variable: &Variable) -> u64 {
        let Kind::Number { min, max, default } = variable.kind else { return 0 };
        self.parsed(variable, |text| match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            Ok(_) => Err("out of range".to_owned()),
            Err(_) => Err("not a whole number".to_owned()),
        })
        .unwrap_or(default)
    }

    /// One of the words of a choice; the default if it is none, which is a problem.
    pub fn choice(&mut self, variable: &Variable) -> &'static str {
        let Kind::Choice { values, default } = variable.kind else { return "" };
        let found = |text: &str| values.iter().copied().find(|value| *value == text);
        self.parsed(variable, |text| found(text).ok_or_else(|| "not a known word".to_owned())).unwrap_or(default)
    }

    /// A secret from the variable, from the file that `<NAME>_FILE` names, or from `$CREDENTIALS_DIRECTORY/<name>`
    /// (lower case). It is checked for what can't be a secret.
    pub fn secret(&mut self, variable: &Variable) -> Option<SecretString> {
        self.secret_as(variable, "put in the secret that the provider issued", |text| {
            check_secret(text).map(|()| SecretString::from(text))
        })
    }

    /// Like [`Self::secret`] for one with a form of its own, such as a key with its name. `parse` must not tell what it
    /// was given.
    pub fn secret_as<T>(
        &mut self,
        variable: &Variable,
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (told, text) = self.secret_text(variable)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                let problem = Problem { variable: told, value: None, reason, remedy: remedy.to_owned() };
                self.problems.push(problem);
                None
            }
        }
    }

    /// Like [`Self::secret_as`] for one that may be missing.
    pub fn optional_secret_as<T>(
        &mut self,
        variable: &Variable,
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let name = self.name(variable);
        let set = [&name, &format!("{name}_FILE")].into_iter().any(|name| self.variables.contains_key(name));
        let credential = self.credentials.as_ref().map(|dir| format!("{dir}/{}", name.to_ascii_lowercase()));
        let missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        if !set && credential.is_none_or(|path| self.files.read(Path::new(&path)).is_err_and(missing)) {
            return None;
        }
        self.secret_as(variable, remedy, parse)
    }

    /// The text of a secret, and the variable that problems with it are told of.
    fn secret_text(&mut self, variable: &Variable) -> Option<(String, String)> {
        let name = self.name(variable);
        let file_variable = format!("{name}_FILE");
        let direct = self.variables.get(&name).cloned();
        let file = self.variables.get(&file_variable).cloned();
        let credential = self.credentials.as_ref().map(|dir| format!("{dir}/{}", name.to_ascii_lowercase()));
        match (direct, file) {
            (Some(_), Some(_)) => {
                self.problem(variable, "set twice, by value and by file", &format!("unset it or {file_variable}"));
                None
            }
            (Some(value), None) => {
                self.warn(
                    variable,
                    "the environment of a process can be read by its user",
                    &format!("prefer {file_variable} or systemd's LoadCredential"),
                );
                Some((name, value))
            }
            (None, Some(path)) => self.secret_file(&file_variable, &path),
            (None, None) => match credential {
                Some(path) => self.secret_file(&name, &path),
                None => {
                    self.problem(variable, "not set", &format!("set {file_variable} to a file that holds it"));
                    None
                }
            },
        }
    }

    fn secret_file(&mut self, variable: &str, path: &str) -> Option<(String, String)> {
        let problem = |reason: String, remedy: &str| Problem {
            variable: variable.to_owned(),
            value: Some(path.to_owned()),
            reason,
            remedy: remedy.to_owned(),
        };
        let file = match self.files.read(Path::new(path)) {
            Ok(file) => file,
            Err(error) => {
                let remedy = "make the file, readable by the user of ddnsd";
                self.problems.push(problem(format!("cannot read the file: {error}"), remedy));
                return None;
            }
        };
        if file.world_readable {
            self.warnings.push(problem("every user can read the file".to_owned(), "chmod 0640 it"));
        }
        match decode_secret(file.content) {
            Ok(text) => Some((variable.to_owned(), text)),
            Err(reason) => {
                self.problems.push(problem(reason.to_owned(), "write the secret alone into the file"));
                None
            }
        }
    }

    /// Notes a problem with a variable's value.
    pub fn problem(&mut self, variable: &Variable, reason: &str, remedy: &str) {
        let problem = self.note(variable, reason, remedy);
        self.problems.push(problem);
    }

    /// Notes something that works but shouldn't be so.
    pub fn warn(&mut self, variable: &Variable, reason: &str, remedy: &str) {
        let warning = self.note(variable, reason, remedy);
        self.warnings.push(warning);
    }

    fn note(&self, variable: &Variable, reason: &str, remedy: &str) -> Problem {
        let value = if variable.kind.is_secret() { None } else { self.raw(variable) };
        Problem { variable: self.name(variable), value, reason: reason.to_owned(), remedy: remedy.to_owned() }
    }

    /// All that was noted: warnings, and problems.
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.warnings, self.problems)
    }
}

fn refuse(name: &str, names: &BTreeSet<String>, known: &[Variable]) -> Problem {
    let remedy = Group::without_type(name, known).or_else(|| {
        let nearest = names.iter().min_by_key(|candidate| strsim::damerau_levenshtein(candidate, name));
        nearest.map(|nearest| format!("the nearest known name is {nearest}"))
    });
    Problem {
        variable: name.to_owned(),
        value: None,
        reason: "no such variable".to_owned(),
        remedy: remedy.unwrap_or_default(),
    }
}
