//! Which room of `src` may use which. A room is a folder or a file right below `src`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, iter,
    path::{Path, PathBuf},
};

use support::repository;

/// The rooms from the top down. A room uses only what is below it.
const ROOMS: [&str; 14] = [
    "cli",
    "certificates",
    "cluster",
    "server",
    "admission",
    "manifests",
    "protection",
    "propagation",
    "preflight",
    "injection",
    "upstreams",
    "object_name",
    "units",
    "constants",
];
/// Every room above `injection` may use these. They use only `units` and `constants`.
const LOW_ROOMS: [&str; 3] = ["tls", "telemetry", "readiness"];
/// Rooms without a client, a clock or a socket.
const PURE_ROOMS: [&str; 6] =
    ["injection", "units", "upstreams", "protection", "propagation", "preflight"];
/// A pure room does not import these.
const IMPURE_CRATES: [&str; 8] =
    ["kube", "k8s_openapi", "tokio", "hyper", "axum", "futures", "rustls", "tracing"];
const MAIN_LINES: usize = 40;

/// Why a room must not use another, if it must not.
fn objection(from: &str, to: &str) -> Option<String> {
    let place = |room: &str| ROOMS.iter().position(|other| *other == room);
    let is_low = |room: &str| LOW_ROOMS.contains(&room);
    for room in [from, to] {
        if place(room).is_none() && !is_low(room) {
            return Some(format!("{room} has no place in ROOMS"));
        }
    }
    let is_basic = ["units", "constants"].contains(&to);
    let is_allowed = match (from, to) {
        ("cluster", "server") | ("certificates", "server") => false,
        ("manifests", _) => is_basic || to == "injection",
        _ if is_low(from) => is_basic,
        _ if is_low(to) => place(from) < place("injection"),
        _ => place(from) < place(to),
    };
    (!is_allowed).then(|| format!("{from} must not use {to}"))
}

/// A word or a sign of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// A file without its tests.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Where the module is, such as `["cli", "serve"]`.
    module: Vec<String>,
    tokens: Vec<Token>,
}

/// Something that a file names.
#[derive(Clone, Debug)]
struct Reference {
    /// The whole path, with `crate` at its front.
    path: Vec<String>,
    line: usize,
    /// Whether the file only passes it on, by `pub use`.
    is_export: bool,
}

impl File {
    fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

struct Source {
    files: Vec<File>,
}

impl Source {
    fn read() -> Self {
        let root = repository().join("src");
        let mut paths = Vec::new();
        collect(&root, &mut paths);
        let mut files = Vec::new();
        let mut tests = BTreeSet::new();
        for path in paths {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(&root).unwrap();
            let mut module: Vec<_> =
                path.with_extension("").iter().map(|s| s.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
                module.pop();
            }
            let (tokens, test_modules) = without_tests(tokens(&text));
            tests.extend(test_modules.into_iter().map(|name| child(&module, &name)));
            files.push(File { path: Path::new("src").join(path), module, tokens });
        }
        files.retain(|file| {
            !tests.contains(&file.module) && file.path.file_name().unwrap() != "main.rs"
        });
        Self { files }
    }

    fn file_of(&self, module: &[String]) -> Option<usize> {
        self.files.iter().position(|file| file.module == module)
    }

    /// What a file names of this crate.
    fn references(&self, file: &File) -> Vec<Reference> {
        let mut references = Vec::new();
        for (index, token) in file.tokens.iter().enumerate() {
            let before = index.checked_sub(1).map_or("", |index| &file.tokens[index].text);
            let is_path = file.tokens.get(index + 1).is_some_and(|next| next.text == "::");
            if !is_path || before == "::" {
                continue;
            }
            let base = match token.text.as_str() {
                "crate" => Vec::new(),
                "self" => file.module.clone(),
                "super" => file.module[..file.module.len().saturating_sub(1)].to_vec(),
                name if self.file_of(&child(&file.module, name)).is_some() => {
                    child(&file.module, name)
                }
                _ => continue,
            };
            let is_export = before == "use"
                && index
                    .checked_sub(2)
                    .is_some_and(|index| ["pub", ")"].contains(&file.tokens[index].text.as_str()));
            for path in paths(&file.tokens, &mut (index + 2)) {
                let mut whole = base.clone();
                for segment in path {
                    if segment == "super" {
                        whole.truncate(whole.len() - 1)
                    } else {
                        whole.push(segment)
                    }
                }
                references.push(Reference { path: whole, line: token.line, is_export });
            }
        }
        references
    }

    /// The file in which what a path names is defined, through all `pub use`.
    fn target(&self, path: &[String], depth: usize) -> Option<usize> {
        let (length, found) = (0..=path.len())
            .rev()
            .find_map(|length| Some((length, self.file_of(&path[..length])?)))?;
        let Some(item) = path.get(length).filter(|_| depth < 8) else { return Some(found) };
        let exports = self.references(&self.files[found]).into_iter();
        let export = exports.filter(|reference| reference.is_export).find(|reference| {
            reference.path.last() == Some(item) && reference.path != path[..=length]
        });
        match export {
            Some(export) => self.target(&export.path, depth + 1),
            None => Some(found),
        }
    }

    /// For each file, which others it uses, and in which line first.
    fn uses(&self) -> BTreeMap<usize, BTreeMap<usize, usize>> {
        let mut uses = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (index, file) in self.files.iter().enumerate() {
            for reference in self.references(file) {
                let target = self.target(&reference.path, 0).filter(|target| *target != index);
                let is_own_export = reference.is_export
                    && target.is_some_and(|t| self.files[t].module.starts_with(&file.module));
                if let Some(target) = target.filter(|_| !is_own_export) {
                    let lines = uses.entry(index).or_default();
                    lines.entry(target).or_insert(reference.line);
                }
            }
        }
        uses
    }

    /// For each use of another room: the file that uses, the line, and the file that is used.
    fn arrows(&self) -> Vec<(&File, usize, &File)> {
        let uses = self.uses().into_iter();
        let all = uses.flat_map(|(from, targets)| {
            targets.into_iter().map(move |(to, line)| (&self.files[from], line, &self.files[to]))
        });
        all.filter(|(from, _, to)| {
            from.room() != to.room() && !from.room().is_empty() && !to.room().is_empty()
        })
        .collect()
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

fn child(module: &[String], name: &str) -> Vec<String> {
    module.iter().map(String::as_str).chain([name]).map(str::to_owned).collect()
}

/// The words and signs of a text, without comments, strings and characters.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r').unwrap_or("");
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if raw[hashes.min(raw.len())..].starts_with('"') {
            let start = rest.len() - raw.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len())
        } else if first == '"' {
            end_of_quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            end_of_quoted(rest, '\'')
        } else {
            let end = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(Token { text: rest[..end].to_owned(), line });
            }
            end
        };
        line += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    tokens
}

/// Whether an apostrophe begins a character, and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    characters.next() == Some('\\') || characters.next() == Some('\'')
}

fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Leaves out each item with `#[cfg(test)]`. Returns the names of such modules too.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules, mut index) = (Vec::new(), Vec::new(), 0);
    while index < tokens.len() {
        let texts = tokens[index..].iter().map(|token| token.text.as_str());
        if !texts.take(ATTRIBUTE.len()).eq(ATTRIBUTE) {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        index += ATTRIBUTE.len();
        if tokens[index].text == "mod" {
            modules.push(tokens[index + 1].text.clone());
        }
        let mut depth = 0;
        loop {
            let text = tokens[index].text.as_str();
            depth += i32::from("{([".contains(text)) - i32::from("})]".contains(text));
            index += 1;
            if depth == 0 && [";", "}"].contains(&text) {
                break;
            }
        }
    }
    (kept, modules)
}

/// The paths of a tree such as `a::{b, c::d as e}`, whose first token is at `index`.
fn paths(tokens: &[Token], index: &mut usize) -> Vec<Vec<String>> {
    let text = |index: usize| tokens.get(index).map_or("", |token| &token.text);
    if text(*index) == "{" {
        *index += 1;
        let mut all = Vec::new();
        while !["}", ""].contains(&text(*index)) {
            all.extend(paths(tokens, index));
            // An `as` and the comma.
            while ![",", "}", ""].contains(&text(*index)) {
                *index += 1;
            }
            *index += usize::from(text(*index) == ",");
        }
        *index += 1;
        return all;
    }
    let segment = text(*index).to_owned();
    *index += 1;
    if text(*index) != "::" {
        // `use a::{self}` and `use a::*` are about `a`; so is `a::<T>`.
        let is_name = segment.chars().all(|c| c.is_alphanumeric() || c == '_') && segment != "self";
        return vec![if is_name { vec![segment] } else { Vec::new() }];
    }
    *index += 1;
    let rest = paths(tokens, index).into_iter();
    rest.map(|rest| iter::once(segment.clone()).chain(rest).collect()).collect()
}

/// A circle in a graph, with its first node at both ends.
fn circle<N: Ord + Clone>(graph: &BTreeMap<N, BTreeSet<N>>) -> Option<Vec<N>> {
    fn visit<N: Ord + Clone>(
        node: &N,
        graph: &BTreeMap<N, BTreeSet<N>>,
        way: &mut Vec<N>,
        done: &mut BTreeSet<N>,
    ) -> Option<Vec<N>> {
        if let Some(start) = way.iter().position(|other| other == node) {
            return Some(way[start..].iter().chain([node]).cloned().collect());
        }
        if !done.contains(node) {
            way.push(node.clone());
            for next in graph.get(node).into_iter().flatten() {
                if let Some(circle) = visit(next, graph, way, done) {
                    return Some(circle);
                }
            }
            way.pop();
            done.insert(node.clone());
        }
        None
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|node| visit(node, graph, &mut Vec::new(), &mut done))
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_pure_room_imports_no_client_runtime_or_log() {
    let mut faults = Vec::new();
    for file in Source::read().files.iter().filter(|file| PURE_ROOMS.contains(&file.room())) {
        for (index, token) in file.tokens.iter().enumerate() {
            let is_next = |text: &str| file.tokens.get(index + 1).is_some_and(|t| t.text == text);
            let is_first = index == 0 || file.tokens[index - 1].text != "::";
            let is_crate = is_first && (is_next("::") || is_next(";") || is_next("as"));
            if is_crate && IMPURE_CRATES.contains(&token.text.as_str()) {
                let at = file.at(token.line);
                faults.push(format!("{at}: the pure room {} uses {}", file.room(), token.text));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn a_room_uses_only_what_is_below_it() {
    let source = Source::read();
    let faults = source.arrows().into_iter().filter_map(|(from, line, to)| {
        let objection = objection(from.room(), to.room())?;
        Some(format!("{}: {objection} ({})", from.at(line), to.path.display()))
    });
    assert_none(&faults.collect::<Vec<_>>());
}

#[test]
fn rooms_use_each_other_in_no_circle() {
    let source = Source::read();
    let mut graph = BTreeMap::<_, BTreeSet<_>>::new();
    for (from, _, to) in source.arrows() {
        graph.entry(from.room()).or_default().insert(to.room());
    }
    let circle = circle(&graph).map(|rooms| {
        let arrows = rooms.windows(2).map(|pair| {
            let is_it = |(from, _, to): &&(&File, usize, &File)| [from.room(), to.room()] == *pair;
            let arrows = source.arrows();
            let (from, line, _) = arrows.iter().find(is_it).unwrap();
            format!("{}: {} uses {}", from.at(*line), pair[0], pair[1])
        });
        arrows.collect::<Vec<_>>().join("\n")
    });
    assert_none(&Vec::from_iter(circle));
}

#[test]
fn files_of_a_room_use_each_other_in_no_circle() {
    let source = Source::read();
    let uses = source.uses();
    let rooms: BTreeSet<_> = source.files.iter().map(File::room).collect();
    let circles = rooms.into_iter().filter_map(|room| {
        let is_here = |index: &usize| source.files[*index].room() == room;
        let files = uses.iter().filter(|(from, _)| is_here(from));
        let graph = files.map(|(from, targets)| {
            (*from, targets.keys().copied().filter(is_here).collect::<BTreeSet<_>>())
        });
        let circle = circle(&graph.collect())?;
        let arrows = circle.windows(2).map(|pair| {
            let [from, to] = [pair[0], pair[1]].map(|index| &source.files[index]);
            format!("{}: uses {}", from.at(uses[&pair[0]][&pair[1]]), to.path.display())
        });
        Some(format!("a circle in {room}:\n{}", arrows.collect::<Vec<_>>().join("\n")))
    });
    assert_none(&circles.collect::<Vec<_>>());
}

#[test]
fn no_two_types_have_the_same_name() {
    let source = Source::read();
    let mut types = BTreeMap::<&str, Vec<String>>::new();
    for file in &source.files {
        let mut depth = 0;
        for pair in file.tokens.windows(2) {
            let [keyword, name] = [&pair[0], &pair[1]];
            depth += i32::from(keyword.text == "{") - i32::from(keyword.text == "}");
            // A `type` in a trait or an impl is an associated type.
            let is_type = match keyword.text.as_str() {
                "struct" | "enum" | "trait" => true,
                "type" => depth == 0,
                _ => false,
            };
            if is_type && name.text.starts_with(char::is_uppercase) {
                types.entry(&name.text).or_default().push(file.at(name.line));
            }
        }
    }
    let double = types.iter().filter(|(_, places)| places.len() > 1);
    let faults = double.map(|(name, places)| format!("{}: two types {name}", places.join(", ")));
    assert_none(&faults.collect::<Vec<_>>());
}

#[test]
fn the_main_function_only_starts_the_command() {
    let lines = fs::read_to_string(repository().join("src/main.rs")).unwrap().lines().count();
    assert!(lines <= MAIN_LINES, "src/main.rs has {lines} lines, and {MAIN_LINES} are enough");
}

#[test]
fn the_references_of_a_file_are_found() {
    let text = r##"
//! crate::comment::A
use crate::{cluster::{Client, watch as follow}, constants::*};
use super::plan::{self, Plan};
pub use child::Exported;
const TEXT: &str = "crate::string::B { '";
const RAW: &str = r#"crate::raw::C " {"#;
fn f<'a>(c: char) -> bool { c == '"' || crate::inline::g::<u8>() == 'x' }
#[cfg(test)]
mod tests {
    use crate::in_a_test::D;
}
#[cfg(test)]
mod simulation;
"##;
    let (tokens, tests) = without_tests(tokens(text));
    assert_eq!(tests, ["tests", "simulation"]);
    let file = |path: &str, module: &[&str], tokens| File {
        path: path.into(),
        module: module.iter().map(|&name| name.to_owned()).collect(),
        tokens,
    };
    let source = Source {
        files: vec![
            file("src/a/b.rs", &["a", "b"], tokens),
            file("src/a/b/child.rs", &["a", "b", "child"], Vec::new()),
            file("src/a/plan.rs", &["a", "plan"], Vec::new()),
        ],
    };
    let references = source.references(&source.files[0]);
    let found: Vec<_> =
        references.iter().map(|r| (r.path.join("::"), r.line, r.is_export)).collect();
    let expected = [
        ("cluster::Client", 3, false),
        ("cluster::watch", 3, false),
        ("constants", 3, false),
        ("a::plan", 4, false),
        ("a::plan::Plan", 4, false),
        ("a::b::child::Exported", 5, true),
        ("inline::g", 8, false),
    ];
    assert_eq!(found, expected.map(|(path, line, is_export)| (path.to_owned(), line, is_export)));
    let exported = ["a", "b", "Exported"].map(str::to_owned);
    assert_eq!(source.target(&exported, 0), Some(1), "what is passed on is found where it is");
}

#[test]
fn a_circle_is_found() {
    let graph = |edges: &[(u8, u8)]| {
        let mut graph = BTreeMap::<u8, BTreeSet<u8>>::new();
        for (from, to) in edges {
            graph.entry(*from).or_default().insert(*to);
        }
        graph
    };
    assert_eq!(circle(&graph(&[(1, 2), (1, 3), (2, 3)])), None);
    assert_eq!(circle(&graph(&[(1, 2), (2, 3), (3, 4), (4, 2)])), Some(vec![2, 3, 4, 2]));
}
