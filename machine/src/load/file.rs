//! The files that are named on the command line: read whole, within the machine's memory size.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{LoadError, Role};

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// As the user named it.
    pub path: PathBuf,
    /// What it was given as.
    pub role: Role,
    /// Its content; not empty.
    pub bytes: Vec<u8>,
}

/// An initial RAM disk, or a multiboot module with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The file.
    pub file: InputFile,
    /// What stood after the file's name.
    pub arguments: String,
}

impl InputFile {
    /// Reads a file of at most `memory_bytes`: what is larger cannot fit into the machine.
    ///
    /// # Errors
    /// When it is missing, a directory, empty, too large or unreadable.
    pub fn read(path: &Path, role: Role, memory_bytes: u64) -> Result<Self, LoadError> {
        let path = path.to_path_buf();
        if path.is_dir() {
            return Err(LoadError::Directory { path, role });
        }
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LoadError::Missing { path, role });
            }
            Err(source) => return Err(LoadError::Unreadable { path, role, source }),
        };
        let is_larger = |length: u64| length > memory_bytes;
        let announced = file.metadata().map_or(0, |metadata| metadata.len());
        let mut bytes = Vec::new();
        if !is_larger(announced)
            && let Err(source) = (&mut file)
                .take(memory_bytes.saturating_add(1))
                .read_to_end(&mut bytes)
        {
            return Err(LoadError::Unreadable { path, role, source });
        }
        if is_larger(announced.max(bytes.len() as u64)) {
            return Err(LoadError::LargerThanMemory {
                path,
                role,
                memory_mib: memory_bytes >> 20,
            });
        }
        if bytes.is_empty() {
            return Err(LoadError::Empty { path, role });
        }
        Ok(Self { path, role, bytes })
    }
}

impl Module {
    /// Reads what stands after `--initrd`: a file's name, or a name, white space and arguments.
    ///
    /// # Errors
    /// As [`InputFile::read`].
    pub fn read(argument: &str, memory_bytes: u64) -> Result<Self, LoadError> {
        let (path, arguments) = match argument.trim().split_once(char::is_whitespace) {
            // A name may contain spaces; then the whole of it is there.
            Some((path, arguments)) if !Path::new(argument).exists() => {
                (path, arguments.trim_start())
            }
            _ => (argument, ""),
        };
        let file = InputFile::read(Path::new(path), Role::Initrd, memory_bytes)?;
        Ok(Self {
            file,
            arguments: arguments.to_owned(),
        })
    }

    /// The module's command line: its name and its arguments.
    pub(super) fn command_line(&self) -> String {
        let name = self.file.path.display();
        if self.arguments.is_empty() {
            name.to_string()
        } else {
            format!("{name} {}", self.arguments)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: u64 = 1 << 20;

    fn message(result: Result<InputFile, LoadError>) -> String {
        result.expect_err("must fail").to_string()
    }

    #[test]
    fn bad_files_are_named_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let read = |path: &Path| message(InputFile::read(path, Role::Kernel, MEMORY));
        assert!(
            read(&dir.path().join("none"))
                .ends_with("none' does not exist; check the path after --kernel")
        );
        assert!(read(dir.path()).contains("is a directory"));
        let empty = dir.path().join("empty");
        std::fs::write(&empty, b"").unwrap();
        assert!(read(&empty).contains("empty' is empty"));
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(MEMORY + 1).unwrap();
        assert!(read(&large).contains("larger than the machine's 1 MiB"));
    }

    #[test]
    fn module_arguments_follow_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("module");
        std::fs::write(&path, b"m").unwrap();
        let name = path.to_str().unwrap();
        let module = Module::read(&format!("{name} a=1  b"), MEMORY).unwrap();
        assert_eq!(
            (module.file.bytes.as_slice(), module.arguments.as_str()),
            (&b"m"[..], "a=1  b")
        );
        assert_eq!(module.command_line(), format!("{name} a=1  b"));
        let spaced = dir.path().join("with space");
        std::fs::write(&spaced, b"s").unwrap();
        assert_eq!(
            Module::read(spaced.to_str().unwrap(), MEMORY)
                .unwrap()
                .arguments,
            ""
        );
    }
}
