//! The table of programs (`bench/programs.txt`) and the choice among them.

use crate::error::BenchError;

/// The table; its head comment describes the form.
const TABLE: &str = include_str!("../programs.txt");

/// What the figures of a machine's start are called where programs are chosen.
pub(crate) const START: &str = "start";

/// Programs that are judged together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// How many times as fast as QEMU rax should be.
    pub(crate) goal: f64,
    pub(crate) title: &'static str,
}

/// What the guest needs to hold besides the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Image {
    /// Only the C programs.
    Base,
    /// The distribution's programs as well.
    Distro,
}

/// One program with its work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Index into [`Programs::classes`].
    pub(crate) class: usize,
    pub(crate) image: Image,
    /// The command, with the amount of work filled in.
    pub(crate) command: String,
}

/// Classes and programs in the order of the table.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) classes: Vec<Class>,
    pub(crate) programs: Vec<Program>,
}

impl Programs {
    /// Reads the table, for full or `quick` work.
    pub(crate) fn read(quick: bool) -> Result<Self, BenchError> {
        Self::parse(TABLE, quick)
    }

    fn parse(table: &'static str, quick: bool) -> Result<Self, BenchError> {
        let mut read = Self {
            classes: Vec::new(),
            programs: Vec::new(),
        };
        for (index, line) in table.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(class) = line.strip_prefix("class ") {
                read.classes.push(parse_class(class, index + 1)?);
            } else {
                let class = read.classes.len().checked_sub(1);
                let class = class.ok_or(BenchError::Table { line: index + 1 })?;
                let program = parse_program(line, class, quick);
                read.programs
                    .push(program.ok_or(BenchError::Table { line: index + 1 })?);
            }
        }
        Ok(read)
    }

    /// Keeps the programs that `names` and `classes` name; all if both are empty.
    pub(crate) fn choose(
        &mut self,
        names: &[String],
        classes: &[String],
    ) -> Result<(), BenchError> {
        let is_class = |wanted: &String| self.classes.iter().any(|class| class.name == wanted);
        let is_program = |wanted: &String| self.programs.iter().any(|one| one.name == wanted);
        if let Some(name) = classes.iter().find(|&name| !is_class(name)) {
            return Err(BenchError::UnknownClass(name.clone()));
        }
        if let Some(name) = names
            .iter()
            .find(|&name| !is_class(name) && !is_program(name) && name != START)
        {
            return Err(BenchError::UnknownProgram(name.clone()));
        }
        if !(names.is_empty() && classes.is_empty()) {
            let wanted = |name: &str| names.iter().chain(classes).any(|one| one == name);
            let in_class = |class: usize| wanted(self.classes[class].name);
            self.programs
                .retain(|one| wanted(one.name) || in_class(one.class));
        }
        Ok(())
    }
}

fn parse_class(text: &'static str, line: usize) -> Result<Class, BenchError> {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().ok_or(BenchError::Table { line });
    Ok(Class {
        name: word()?,
        goal: word()?.parse().map_err(|_| BenchError::Table { line })?,
        title: word()?,
    })
}

fn parse_program(line: &'static str, class: usize, quick: bool) -> Option<Program> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let full = words.next()?;
    let reduced = words.next()?;
    let image = match words.next()? {
        "base" => Image::Base,
        "distro" => Image::Distro,
        _ => return None,
    };
    let work = if quick { reduced } else { full };
    let command: Vec<_> = words.map(|word| word.replace('%', work)).collect();
    (!command.is_empty()).then(|| Program {
        name,
        class,
        image,
        command: command.join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_reads_and_names_are_unique() {
        let full = Programs::read(false).unwrap();
        let quick = Programs::read(true).unwrap();
        assert!(full.programs.len() > 50 && full.classes.len() > 8);
        assert_eq!(full.programs.len(), quick.programs.len());
        let names = full.programs.iter().map(|one| one.name);
        let mut names = names.chain(full.classes.iter().map(|class| class.name));
        let mut seen = HashSet::from([START]);
        assert_eq!(names.find(|name| !seen.insert(*name)), None);
    }

    #[test]
    fn names_and_classes_choose() {
        let table = "class a 2 first\nx 10 1 base run %\ny 5 5 distro go\nclass b 3.5 second one\nz 1 1 base z";
        let mut all = Programs::parse(table, true).unwrap();
        assert_eq!(all.programs[0].command, "run 1");
        assert_eq!(all.classes[1].title, "second one");
        all.choose(&["x".into()], &["b".into()]).unwrap();
        let names: Vec<_> = all.programs.iter().map(|one| one.name).collect();
        assert_eq!(names, ["x", "z"]);
        assert!(all.choose(&["nothing".into()], &[]).is_err());
        assert!(all.choose(&[], &["x".into()]).is_err());
    }

    #[test]
    fn a_bad_line_is_named() {
        let bad = Programs::parse("class a 2 first\nx 10 1 floppy run", false);
        assert!(matches!(bad, Err(BenchError::Table { line: 2 })));
        let orphan = Programs::parse("x 10 1 base run", false);
        assert!(matches!(orphan, Err(BenchError::Table { line: 1 })));
    }
}
