//! The libraries that are asked: ours, Debian's, and the reference.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::check;
use crate::library::Library;
use crate::vendor::{list, work_dir};

/// Debian's package, and what it needs of others beyond the C library.
const PACKAGES: [&str; 13] = [
    "libzmq5",
    "libbsd0",
    "libmd0",
    "libgssapi-krb5-2",
    "libkrb5-3",
    "libkrb5support0",
    "libk5crypto3",
    "libcom-err2",
    "libkeyutils1",
    "libssl3",
    "libnorm1",
    "libpgm-5.3-0",
    "libsodium23",
];

/// One of them.
pub struct Asked {
    /// `ours`, `debian` or `reference`.
    pub role: &'static str,
    /// The heading of its column.
    pub title: String,
    /// The library.
    pub file: PathBuf,
    /// Where what it depends on lies, if not where the loader looks anyway.
    pub path: Option<OsString>,
}

/// Ours first, the reference last. Debian's is left out, with a word, where it can't be had.
pub fn all(ours: &Library, reference: &Library) -> Result<Vec<Asked>, String> {
    let column = |title: &str, library: &Library| Asked {
        role: library.role,
        title: title.to_owned(),
        file: library.dir.join("libzmq.so.5"),
        path: None,
    };
    let mut asked = vec![column("ours", ours)];
    match debian() {
        Ok(library) => asked.push(library),
        Err(why) => eprintln!("without Debian's library: {why}"),
    }
    asked.push(column("4.3.5, built with drafts", reference));
    Ok(asked)
}

/// Downloads the packages and unpacks them, without installing anything.
pub fn debian() -> Result<Asked, String> {
    let folder = work_dir().join("debian");
    let root = folder.join("root");
    let find = || -> Option<PathBuf> {
        let lib = root.join("usr/lib");
        let folders = list(&lib).ok()?;
        folders.into_iter().find(|folder| folder.join("libzmq.so.5").exists())
    };
    if find().is_none() {
        std::fs::create_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))?;
        check(Command::new("apt-get").args(["-qq", "download"]).args(PACKAGES).current_dir(&folder))?;
        for package in list(&folder)?.iter().filter(|path| path.extension().is_some_and(|e| e == "deb")) {
            check(Command::new("dpkg").arg("-x").arg(package).arg(&root))?;
        }
    }
    let lib = find().ok_or("its package has no libzmq.so.5")?;
    Ok(Asked {
        role: "debian",
        title: format!("{}, Debian's", version(&folder)?),
        file: lib.join("libzmq.so.5"),
        path: Some(search_path(&root, &lib)),
    })
}

/// The library's own folder, and the one of those that belong to the system's root.
fn search_path(root: &Path, lib: &Path) -> OsString {
    let mut path = lib.as_os_str().to_owned();
    if let Some(name) = lib.file_name() {
        path.push(":");
        path.push(root.join("lib").join(name));
    }
    path
}

/// From the name of the package's file.
fn version(folder: &Path) -> Result<String, String> {
    let files = list(folder)?;
    let name = files.iter().filter_map(|f| f.file_name()?.to_str()).find_map(|n| n.strip_prefix("libzmq5_"));
    let version = name.and_then(|n| n.split(['-', '_']).next()).ok_or("a package without a version")?;
    Ok(version.to_owned())
}
