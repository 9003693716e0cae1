//! A real Prometheus, which evaluates rules each second.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Namespace, process::Process};

const PROGRAM: &str = "/usr/bin/prometheus";
const STARTUP: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// A running `prometheus` on 127.0.0.1 of a namespace. It is killed when dropped.
pub struct Prometheus<'a> {
    namespace: &'a Namespace,
    process: Process,
    directory: TempDir,
}

impl<'a> Prometheus<'a> {
    /// Starts it with these files of rules (name and content), and nobody to scrape.
    pub fn start(namespace: &'a Namespace, rules: &[(&str, &str)]) -> Result<Self> {
        ensure!(
            Path::new(PROGRAM).exists(),
            "prometheus is missing (package prometheus); `cargo xtask setup` installs it"
        );
        let directory = tempfile::Builder::new().prefix("ddns-prometheus-").tempdir()?;
        let path = directory.path();
        let mut configuration = String::from(
            "global: { evaluation_interval: 1s }\nscrape_configs:\n  \
             - { job_name: ddnsd, file_sd_configs: [{ files: [targets.json], refresh_interval: 1s }] }\nrule_files:\n",
        );
        for (name, content) in rules {
            fs::write(path.join(name), content)?;
            writeln!(configuration, "  - {name}")?;
        }
        fs::write(path.join("prometheus.yml"), configuration)?;
        fs::write(path.join("targets.json"), "[]")?;
        let mut command = namespace.command(PROGRAM);
        command.current_dir(path).args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--log.level=warn",
            &format!("--web.listen-address={ADDRESS}"),
        ]);
        let prometheus = Self { namespace, process: Process::start("prometheus", &mut command)?, directory };
        let begun = Instant::now();
        while prometheus.get("/-/ready").is_err() {
            ensure!(begun.elapsed() < STARTUP, "prometheus does not become ready:\n{}", prometheus.process.tail());
            thread::sleep(POLL);
        }
        Ok(prometheus)
    }

    /// Scrapes these, each under its name as `instance`, so often.
    pub fn scrape(&self, targets: &[(&str, &str, &str)]) -> Result<()> {
        let target = |(name, at, interval): &(&str, &str, &str)| {
            let labels = json!({ "instance": name, "__scrape_interval__": interval, "__scrape_timeout__": interval });
            json!({ "targets": [at], "labels": labels })
        };
        let targets: Vec<_> = targets.iter().map(target).collect();
        // Its reader must not see half a file.
        let (fresh, path) = (self.directory.path().join("fresh"), self.directory.path().join("targets.json"));
        fs::write(&fresh, serde_json::to_string(&targets)?)?;
        fs::rename(fresh, path).context("the targets of prometheus")
    }

    /// The result of a query at this moment.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        let mut found = self.api(&format!("query?query={}", encoded(query))).with_context(|| query.to_owned())?;
        match found["result"].take() {
            Value::Array(series) => Ok(series),
            _ => Ok(vec![]),
        }
    }

    /// The result of a query from `start` to `end` (seconds since the Unix epoch), second by second.
    pub fn query_range(&self, query: &str, (start, end): (f64, f64)) -> Result<Value> {
        let path = format!("query_range?query={}&start={start:.3}&end={end:.3}&step=1", encoded(query));
        let mut found = self.api(&path).with_context(|| query.to_owned())?;
        Ok(found["result"].take())
    }

    /// The groups of rules that it has loaded.
    pub fn groups(&self) -> Result<Value> {
        let mut found = self.api("rules")?;
        Ok(found["groups"].take())
    }

    fn api(&self, path: &str) -> Result<Value> {
        let mut answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/{path}"))?)?;
        ensure!(answer["status"] == "success", "prometheus: {answer}");
        Ok(answer["data"].take())
    }

    fn get(&self, path: &str) -> Result<String> {
        let exchange = || -> Result<String> {
            let mut stream = TcpStream::connect_timeout(&ADDRESS, TIMEOUT)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            // HTTP/1.0: the answer comes in one piece and ends with the connection.
            write!(stream, "GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
            let ok = head.split(' ').nth(1).is_some_and(|code| code == "200");
            ensure!(ok, "prometheus answers {body} to {path}");
            Ok(body.to_owned())
        };
        self.namespace.enter(exchange)?
    }
}

/// Percent-encoded, all but letters and digits.
fn encoded(query: &str) -> String {
    query.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
