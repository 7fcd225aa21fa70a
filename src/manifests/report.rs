//! The report for people: one line per object, on stderr.

use std::fmt::{self, Display};

use super::{outcome::TemplateOutcome, printable::printable};

/// The changes, and what the author of the manifests should know.
#[derive(Debug)]
pub struct Report {
    lines: Vec<String>,
    /// The file of the lines, if there are several files.
    prefix: String,
    names_files: bool,
    changed: usize,
    unchanged: usize,
    other: usize,
    notices: usize,
}

impl Report {
    pub(super) fn new(names_files: bool) -> Self {
        Self {
            lines: Vec::new(),
            prefix: String::new(),
            names_files,
            changed: 0,
            unchanged: 0,
            other: 0,
            notices: 0,
        }
    }

    /// The number of notices.
    pub fn notices(&self) -> usize {
        self.notices
    }

    /// Starts the lines of `file`.
    pub(super) fn file(&mut self, file: &str) {
        if self.names_files {
            self.prefix = format!("{file}: ");
        }
    }

    pub(super) fn object(&mut self, title: &str, outcome: &TemplateOutcome) {
        self.line(title, &outcome.summary);
        if outcome.patch.is_empty() {
            self.unchanged += 1;
        } else {
            self.changed += 1;
        }
        for notice in &outcome.notices {
            self.notice(title, notice);
        }
    }

    pub(super) fn unchanged(&mut self, title: &str, why: &str) {
        self.unchanged += 1;
        self.line(title, &format!("unchanged: {why}"));
    }

    /// Counts an object without Pods.
    pub(super) fn other(&mut self) {
        self.other += 1;
    }

    pub(super) fn notice(&mut self, title: &str, what: &dyn Display) {
        self.notices += 1;
        self.line(title, &format!("notice: {what}"));
    }

    fn line(&mut self, title: &str, what: &str) {
        let line = printable(&format!("{}{title}: {what}", self.prefix));
        self.lines.push(line);
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let Self { changed, unchanged, other, notices, .. } = self;
        write!(
            f,
            "{changed} changed, {unchanged} unchanged, {other} without Pods, {notices} notices"
        )
    }
}
