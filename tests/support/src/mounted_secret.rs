//! A Secret as the kubelet mounts it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A directory of files that are symlinks through `..data`.
#[derive(Debug)]
pub struct MountedSecret {
    folder: TempDir,
}

impl MountedSecret {
    /// A Secret with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let secret = Self { folder: tempfile::tempdir().unwrap() };
        secret.swap(files);
        for (file, _) in files {
            symlink(Path::new("..data").join(file), secret.path(file)).unwrap();
        }
        secret
    }

    /// Where a file is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Replaces the content of all files at once.
    pub fn swap(&self, files: &[(&str, &str)]) {
        let version = tempfile::Builder::new().prefix("..v").tempdir_in(&self.folder);
        let version = version.unwrap().keep();
        for (file, content) in files {
            fs::write(version.join(file), content).unwrap();
        }
        symlink(version.file_name().unwrap(), self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
    }
}
