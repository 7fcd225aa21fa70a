//! The path of a file in a diff.

use std::{
    env,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use super::{error::ManifestError, source::ManifestSource};

/// The path of `source` in a diff, below the working directory: `git apply` takes it from there.
///
/// # Errors
/// When the file is somewhere else.
pub(super) fn diff_path(source: &ManifestSource) -> Result<PathBuf, ManifestError> {
    let Some(path) = &source.path else { return Ok(PathBuf::from(&source.name)) };
    let outside = || ManifestError::Outside { path: source.name.clone() };
    let directory = env::current_dir().map_err(|_| outside())?;
    let path = normalized(&directory.join(path));
    path.strip_prefix(&directory).map(Path::to_owned).map_err(|_| outside())
}

/// `path` without `.` and `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = normalized.pop(),
            component => normalized.push(component),
        }
    }
    normalized
}

/// `side/path` as git writes it in a header: in quotes if it has special characters, and with a tab
/// behind it if it has a space.
pub(super) fn header(side: &str, path: &Path) -> String {
    let path = Path::new(side).join(path);
    let bytes = path.as_os_str().as_bytes();
    let is_special = |byte: &u8| matches!(byte, ..0x20 | b'"' | b'\\' | 0x7f..);
    if bytes.iter().any(is_special) {
        return quoted(path.as_os_str());
    }
    let tab = if bytes.contains(&b' ') { "\t" } else { "" };
    format!("{}{tab}", path.display())
}

fn quoted(path: &OsStr) -> String {
    let escaped = path.as_bytes().iter().map(|byte| match byte {
        b'\t' => "\\t".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'"' => "\\\"".to_owned(),
        b'\\' => "\\\\".to_owned(),
        0x20..0x7f => char::from(*byte).to_string(),
        other => format!("\\{other:03o}"),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("web.yaml", "a/web.yaml")]
    #[case::hidden(".k8s/web.yaml", "a/.k8s/web.yaml")]
    #[case::space("my web.yaml", "a/my web.yaml\t")]
    #[case::tab("my\tweb.yaml", "\"a/my\\tweb.yaml\"")]
    #[case::quotes("a\"b\\c.yaml", "\"a/a\\\"b\\\\c.yaml\"")]
    #[case::not_ascii("größe.yaml", "\"a/gr\\303\\266\\303\\237e.yaml\"")]
    fn a_path_is_written_as_git_does(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(header("a", Path::new(path)), expected);
    }

    #[rstest]
    #[case::above("/repo/a/../b", "/repo/b")]
    #[case::here("/repo/./b", "/repo/b")]
    fn a_path_is_normalized(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(normalized(Path::new(path)), Path::new(expected));
    }
}
