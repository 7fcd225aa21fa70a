//! The file of a plot.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process,
};

use super::error::MeasureError;

/// A file that is written whole, or not at all.
#[derive(Debug)]
pub(super) struct PlotFile {
    path: PathBuf,
    /// Beside it, so that it can be renamed.
    temporary: PathBuf,
}

impl PlotFile {
    /// # Errors
    /// When it could not be written: better to know before a long measurement.
    pub(super) fn new(path: PathBuf) -> Result<Self, MeasureError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let temporary = directory.join(format!(".apisix-prestop-{}.svg", process::id()));
        match may_replace(&path).and_then(|()| try_to_create(&temporary)) {
            Ok(()) => Ok(Self { path, temporary }),
            Err(error) => Err(MeasureError::PlotFile(error, path)),
        }
    }

    pub(super) fn write(self, text: &str) -> Result<(), MeasureError> {
        let written = File::create_new(&self.temporary)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&self.temporary, &self.path));
        written.map_err(|error| {
            let _ = fs::remove_file(&self.temporary);
            MeasureError::WritePlot(error, self.path)
        })
    }
}

/// Whether the path is free, or a file. A rename would replace a device too.
fn may_replace(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound && path.file_name().is_some() => Ok(()),
        Err(error) => Err(error),
    }
}

fn try_to_create(path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[rstest]
    #[case::no_such_directory("missing/plot.svg", "No such file or directory (os error 2)")]
    #[case::a_directory("directory", "is a directory")]
    #[case::below_a_file("file/plot.svg", "Not a directory (os error 20)")]
    #[case::a_device("/dev/null", "it is no regular file")]
    #[case::no_name("missing/..", "No such file or directory (os error 2)")]
    #[case::empty("", "No such file or directory (os error 2)")]
    fn is_refused_before_the_measurement(#[case] name: &str, #[case] why: &str) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("directory")).unwrap();
        fs::write(directory.path().join("file"), "before").unwrap();
        let path = if name.is_empty() { PathBuf::new() } else { directory.path().join(name) };
        let error = PlotFile::new(path.clone()).unwrap_err();
        let expected = format!("--plot: cannot write {}: {why}", path.display());
        assert_eq!((error.to_string(), error.is_usage()), (expected, true));
        assert_eq!(names(directory.path()), ["directory", "file"], "nothing is left");
    }

    #[rstest]
    #[case::new("new.svg")]
    #[case::that_exists("old.svg")]
    fn a_file_is_written_whole(#[case] name: &str) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("old.svg"), "a longer text than the new one").unwrap();
        let path = directory.path().join(name);
        let file = PlotFile::new(path.clone()).unwrap();
        assert_eq!(names(directory.path()), ["old.svg"], "nothing is there before the measurement");
        file.write("<svg/>").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "<svg/>");
        assert!(names(directory.path()).iter().all(|name| !name.starts_with('.')));
    }

    #[test]
    fn what_goes_wrong_later_leaves_nothing_half_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plot.svg");
        let file = PlotFile::new(path.clone()).unwrap();
        fs::create_dir(&path).unwrap();
        let error = file.write("<svg/>").unwrap_err();
        let expected = format!("cannot write {}: Is a directory (os error 21)", path.display());
        assert_eq!((error.to_string(), error.is_usage()), (expected, false));
        assert_eq!(names(directory.path()), ["plot.svg"], "the temporary file is removed");
    }
}
