//! Files and folders that keep their owner whoever writes them. A program that runs as a user of
//! its own must be able to go on with what root, say, put there for it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// The folder that something is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a folder and those above it that are missing. Each gets the owner of the one above it,
/// as far as this user may give it away.
///
/// # Errors
/// When one cannot be made.
pub fn make_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = folder_of(dir);
    if above != dir {
        make_folder(above)?;
    }
    match fs::create_dir(dir) {
        Ok(()) => give_away(dir, above),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives a new folder the owner of the one above it. Nobody but root may do that; what others make
/// is theirs, as always.
#[cfg(unix)]
fn give_away(dir: &Path, above: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let (own, other) = (fs::metadata(dir)?, fs::metadata(above)?);
    if (own.uid(), own.gid()) == (other.uid(), other.gid()) {
        return Ok(());
    }
    match chown(dir, Some(other.uid()), Some(other.gid())) {
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn give_away(_dir: &Path, _above: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a file fit for the place of another one: with the owner, group and mode of the file that
/// is there, or, when there is none, with the owner of the folder and readable by nobody else.
///
/// # Errors
/// When this user may not give files to that owner: who reads the place could not read it any
/// more.
#[cfg(unix)]
pub fn fit(fresh: &File, place: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    /// Everybody may make files there, which are then their own.
    const STICKY: u32 = 0o1000;
    let own = fresh.metadata()?;
    let (uid, gid, mode) = match fs::metadata(place) {
        Ok(there) => (there.uid(), there.gid(), there.mode() & 0o777),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = fs::metadata(folder_of(place))?;
            match folder.mode() & STICKY {
                0 => (folder.uid(), folder.gid(), 0o600),
                _ => (own.uid(), own.gid(), 0o600),
            }
        }
        Err(error) => return Err(error),
    };
    if (own.uid(), own.gid()) != (uid, gid)
        && let Err(error) = fchown(fresh, Some(uid), Some(gid))
    {
        // A group that may do nothing does not matter.
        let is_fine = own.uid() == uid && mode & 0o070 == 0;
        if !is_fine {
            let told = format!(
                "it belongs to user {uid} and group {gid}, to whom this user may not give files ({error}); do this as that user or as root"
            );
            return Err(io::Error::new(error.kind(), told));
        }
    }
    fresh.set_permissions(fs::Permissions::from_mode(mode))
}

/// There are no owners of this kind on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn fit(_fresh: &File, _place: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    use super::*;

    fn of(path: &Path) -> (u32, u32, u32) {
        let there = fs::metadata(path).unwrap();
        (there.uid(), there.gid(), there.mode() & 0o777)
    }

    /// Whether this user may give files away.
    fn is_root(dir: &Path) -> bool {
        let probe = dir.join("probe");
        fs::write(&probe, "").unwrap();
        chown(&probe, Some(12_345), Some(12_346)).is_ok()
    }

    #[test]
    fn a_file_takes_over_the_mode_and_owner_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let (place, next) = (dir.path().join("place"), dir.path().join("next"));
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        let given = is_root(dir.path()).then_some((12_345, 12_346));
        if let Some((uid, gid)) = given {
            chown(&place, Some(uid), Some(gid)).unwrap();
        }
        let wanted = of(&place);
        fit(&File::create(&next).unwrap(), &place).unwrap();
        assert_eq!((of(&next), wanted.2), (wanted, 0o640));
        // A new one is the folder's owner's, and nobody else's.
        let fresh = dir.path().join("fresh");
        if let Some((uid, gid)) = given {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        fit(&File::create(&fresh).unwrap(), &dir.path().join("none")).unwrap();
        let (uid, _, mode) = of(&fresh);
        assert_eq!((uid, mode), (of(dir.path()).0, 0o600));
    }

    #[test]
    fn new_folders_belong_to_the_owner_of_those_above() {
        let dir = tempfile::tempdir().unwrap();
        if is_root(dir.path()) {
            chown(dir.path(), Some(12_345), Some(12_346)).unwrap();
        }
        let deep = dir.path().join("again/ops");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        let (uid, gid, _) = of(dir.path());
        let (own, group, _) = of(&deep);
        assert_eq!((own, group), (uid, gid));
        // A file in the way is told.
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(make_folder(&dir.path().join("file/below")).is_err());
    }
}
