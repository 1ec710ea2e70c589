//! Files for programs under test.

use std::{fs, path::PathBuf};

/// A file that is removed when this is dropped.
pub(crate) struct File {
    path: PathBuf,
}

impl File {
    /// Writes a file whose name ends with this one, which no other test may use.
    pub(crate) fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self { path }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
