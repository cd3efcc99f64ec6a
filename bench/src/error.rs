//! What can keep the benchmark from running: one line each that says what to do.

use std::path::PathBuf;

/// An error that ends the benchmark.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("bench/programs.txt, line {line}: not a class and not a program")]
    Table { line: usize },
    #[error("there is no program or class '{0}'; --list shows them")]
    UnknownProgram(String),
    #[error("there is no class '{0}'; --list shows them")]
    UnknownClass(String),
    #[error("cannot run {program}: {source}; {advice}")]
    CannotRun {
        program: String,
        advice: &'static str,
        source: std::io::Error,
    },
    #[error("cannot build rax (cargo build --release failed); --rax FILE takes a ready one")]
    RaxNotBuilt,
    #[error("the kit could not be built; bench/kit said why above")]
    KitNotBuilt,
    #[error("{engine} ended before its first program; {said}")]
    NoStart { engine: &'static str, said: String },
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is not JSON: {source}")]
    NotJson {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
}

impl BenchError {
    /// Turns an I/O error about `path` into one that names it.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
