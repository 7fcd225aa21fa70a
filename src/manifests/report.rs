//! The report for people: one line per object, on stderr.

use std::fmt::{self, Display};

use super::{count::counted, error::ManifestError, outcome::TemplateOutcome, printable::printable};

/// The changes, and what the author of the manifests should know.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<String>,
    /// The file of the lines, if there are several files.
    prefix: String,
    names_files: bool,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    changed: usize,
    unchanged: usize,
    other: usize,
    skipped: usize,
    notices: usize,
}

/// The state of a report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    lines: usize,
    counts: Counts,
}

impl Report {
    pub(super) fn new(names_files: bool) -> Self {
        Self { names_files, ..Self::default() }
    }

    /// The number of notices.
    pub fn notices(&self) -> usize {
        self.counts.notices
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
            self.counts.unchanged += 1;
        } else {
            self.counts.changed += 1;
        }
        for notice in &outcome.notices {
            self.notice(title, notice);
        }
    }

    pub(super) fn unchanged(&mut self, title: &str, why: &str) {
        self.counts.unchanged += 1;
        self.line(title, &format!("unchanged: {why}"));
    }

    pub(super) fn left_alone(&mut self, title: &str, why: &str) {
        self.counts.unchanged += 1;
        self.notice(title, &format!("unchanged: {why}"));
    }

    /// Counts an object without Pods.
    pub(super) fn other(&mut self) {
        self.counts.other += 1;
    }

    pub(super) fn notice(&mut self, title: &str, what: &dyn Display) {
        self.counts.notices += 1;
        self.line(title, &format!("notice: {what}"));
    }

    /// The lines of the current file, which cannot be read, give way to one that says so.
    pub(super) fn skip(&mut self, before: Mark, error: &ManifestError) {
        self.lines.truncate(before.lines);
        self.counts = before.counts;
        self.counts.skipped += 1;
        self.counts.notices += 1;
        self.lines.push(printable(&format!("notice: skipped: {error}")));
    }

    /// The state before a file.
    pub(super) fn mark(&self) -> Mark {
        Mark { lines: self.lines.len(), counts: self.counts }
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
        let Counts { changed, unchanged, other, skipped, notices } = &self.counts;
        write!(f, "{changed} changed, {unchanged} unchanged, {other} without Pods, ")?;
        if *skipped > 0 {
            write!(f, "{} skipped, ", counted(*skipped, "file"))?;
        }
        f.write_str(&counted(*notices, "notice"))
    }
}
