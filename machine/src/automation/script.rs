//! The script language: a line, a step.
//!
//! ```text
//! # Boot DOS and look at the disk.
//! wait-text A:\\>
//! type "dir\n"
//! wait-text bytes free
//! screenshot dir.png
//! ```
//!
//! The word is followed by the rest of the line, as it is, or within single
//! quotes. Within double quotes a backslash begins an escape, as in `--type`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{BadPattern, Origin, Pattern, Step};
use crate::host::MouseMove;
use crate::keys::{self, KeyError, KeyEvent};

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Not a word of the language.
    #[error(
        "there is no step '{0}'; known are wait-text, type, send, key, key-down, key-up, wait, screenshot, mouse, insert, eject, power, stay and quit"
    )]
    Unknown(String),
    /// A step without what it needs.
    #[error("'{0}' needs {1}")]
    Missing(&'static str, &'static str),
    /// A step with more than it takes.
    #[error("'{0}' takes nothing behind it")]
    Superfluous(&'static str),
    /// A quotation mark without its partner.
    #[error("a quotation mark is missing at the end")]
    Unquoted,
    /// Not a number of seconds.
    #[error("give a number of seconds after 'wait', such as 2 or 0.5")]
    Seconds,
    /// Not a movement.
    #[error(
        "give two numbers after 'mouse', to the right and up, and perhaps buttons: left, right, middle"
    )]
    Mouse,
    /// An unknown escape.
    #[error(transparent)]
    Escape(#[from] EscapeError),
    /// No regular expression.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// No such key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {trouble}", .file.display())]
pub struct ScriptError {
    /// The script.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it. It is part of the message.
    pub trouble: Trouble,
}

/// An escape that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(r#"there is no escape '\{0}'; known are \n \t \b \e \\ \" and \'"#)]
pub struct EscapeError(String);

/// Puts characters in place of escapes: `\n` return, `\t` tab, `\b` backspace, `\e` escape, `\\` backslash.
///
/// # Errors
/// When there is no such escape.
pub fn unescape(text: &str) -> Result<String, EscapeError> {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        let escape = characters.next();
        result.push(match escape {
            Some('n' | 'r') => '\n',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('e') => '\u{1b}',
            Some(same @ ('\\' | '"' | '\'')) => same,
            other => return Err(EscapeError(other.map(String::from).unwrap_or_default())),
        });
    }
    Ok(result)
}

/// Reads a script; `file` is its name in what is said about it.
///
/// # Errors
/// The first line that is no step.
pub fn parse(text: &str, file: &Path) -> Result<Vec<(Origin, Step)>, ScriptError> {
    let mut steps = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let failed = |trouble| ScriptError {
            file: file.into(),
            line: number,
            trouble,
        };
        let origin = Origin::Line {
            file: file.into(),
            line: number,
        };
        let step = parse_line(line.trim()).map_err(failed)?;
        steps.extend(step.map(|step| (origin, step)));
    }
    Ok(steps)
}

fn parse_line(line: &str) -> Result<Option<Step>, Trouble> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = unquote(rest.trim())?;
    let needed = |word, what| {
        if rest.is_empty() {
            Err(Trouble::Missing(word, what))
        } else {
            Ok(rest.as_str())
        }
    };
    let alone = |word, step| {
        if rest.is_empty() {
            Ok(step)
        } else {
            Err(Trouble::Superfluous(word))
        }
    };
    let step = match word {
        "wait-text" => {
            let pattern = needed("wait-text", "a regular expression")?;
            Step::WaitText(Pattern::new(pattern)?)
        }
        "type" => Step::Keys(keys::strokes_of_text(needed("type", "a text")?)?),
        "send" => Step::Send(needed("send", "a text")?.into()),
        "key" => Step::Keys(strokes(needed("key", "the name of a key")?)?),
        "key-down" | "key-up" => {
            let is_down = word == "key-down";
            let name = if is_down { "key-down" } else { "key-up" };
            let mut events = strokes(needed(name, "the name of a key")?)?;
            events.retain(|event| event.is_down == is_down);
            Step::Keys(events)
        }
        "wait" => Step::Wait(seconds(&rest).ok_or(Trouble::Seconds)?),
        "screenshot" => Step::Screenshot(needed("screenshot", "the name of a PNG file")?.into()),
        "mouse" => Step::Mouse(mouse(&rest).ok_or(Trouble::Mouse)?),
        "insert" => {
            let what = "a drive and an image, such as: insert a disk2.img";
            let both = needed("insert", what)?.split_once(char::is_whitespace);
            let (drive, image) = both.ok_or(Trouble::Missing("insert", what))?;
            Step::Insert {
                drive: drive.into(),
                image: unquote(image.trim())?,
            }
        }
        "eject" => Step::Eject {
            drive: needed("eject", "a drive, such as: eject cd")?.into(),
        },
        "power" => alone("power", Step::PowerButton)?,
        "stay" => alone("stay", Step::Stay)?,
        "quit" => alone("quit", Step::Quit)?,
        _ => return Err(Trouble::Unknown(word.into())),
    };
    Ok(Some(step))
}

/// Keys and combinations one after the other.
fn strokes(names: &str) -> Result<Vec<KeyEvent>, KeyError> {
    let strokes: Result<Vec<_>, _> = names
        .split_whitespace()
        .map(keys::strokes_of_name)
        .collect();
    Ok(strokes?.concat())
}

/// The argument without its quotation marks.
fn unquote(text: &str) -> Result<String, Trouble> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let inside = inside.strip_suffix(quote).ok_or(Trouble::Unquoted)?;
            return Ok(match quote {
                '"' => unescape(inside)?,
                _ => inside.into(),
            });
        }
    }
    Ok(text.into())
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn mouse(text: &str) -> Option<MouseMove> {
    let mut words = text.split_whitespace();
    let right = words.next()?.parse().ok()?;
    let up = words.next()?.parse().ok()?;
    let (mut down, mut buttons) = (0, 0);
    for word in words {
        buttons |= match word {
            "wheel-up" => {
                down -= 1;
                continue;
            }
            "wheel-down" => {
                down += 1;
                continue;
            }
            "left" => 1,
            "right" => 2,
            "middle" => 4,
            _ => return None,
        };
    }
    Some(MouseMove {
        right,
        up,
        down,
        buttons,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        let parsed = parse(text, Path::new("t.rax")).expect("is a script");
        parsed.into_iter().map(|(_, step)| step).collect()
    }

    fn trouble(text: &str) -> String {
        parse(text, Path::new("t.rax"))
            .expect_err("is no script")
            .to_string()
    }

    #[test]
    fn every_step_is_understood() {
        let script = r#"
            # a comment
            wait-text C:\\>
            type "dir\n"
            type 'dir\n'
            send "ls\n"
            key ctrl-alt-del f1
            wait 0.5
            screenshot "my screen.png"
            mouse -3 5 left middle
            insert a disk 2.img
            eject cd
            power
            quit"#;
        let keys = |text| Step::Keys(keys::strokes_of_text(text).unwrap());
        let names = ["ctrl-alt-del", "f1"].map(|name| keys::strokes_of_name(name).unwrap());
        let expected = [
            Step::WaitText(Pattern::new(r"C:\\>").unwrap()),
            keys("dir\n"),
            keys("dir\\n"),
            Step::Send("ls\n".into()),
            Step::Keys(names.concat()),
            Step::Wait(Duration::from_millis(500)),
            Step::Screenshot("my screen.png".into()),
            Step::Mouse(MouseMove {
                right: -3,
                up: 5,
                down: 0,
                buttons: 5,
            }),
            Step::Insert {
                drive: "a".into(),
                image: "disk 2.img".into(),
            },
            Step::Eject { drive: "cd".into() },
            Step::PowerButton,
            Step::Quit,
        ];
        assert_eq!(steps(script), expected);
    }

    #[test]
    fn keys_go_down_and_up_in_steps_of_their_own() {
        let [down, up] = keys::strokes_of_name("left").unwrap()[..] else {
            panic!("one key")
        };
        let shift = keys::strokes_of_name("shift").unwrap();
        let expected = [vec![shift[0], down], vec![up, shift[1]], vec![up, shift[1]]];
        assert_eq!(
            steps("key-down shift-left\nkey-up shift-left\nkey-up left shift"),
            expected.map(Step::Keys)
        );
    }

    #[test]
    fn mistakes_name_file_and_line() {
        assert!(trouble("quit\n\nwiat 5").starts_with("t.rax:3: there is no step 'wiat'"));
        for (script, reason) in [
            ("wait-text", "needs a regular expression"),
            ("wait-text a(", "unclosed group"),
            ("type \"x", "quotation mark"),
            (r#"type "\q""#, r"'\q'"),
            ("type é", "no key for the character"),
            ("send", "needs a text"),
            ("key f13", "no key 'f13'"),
            ("key-down f13", "no key 'f13'"),
            ("key-up", "needs the name of a key"),
            ("wait -1", "number of seconds"),
            ("wait", "number of seconds"),
            ("mouse 1", "two numbers"),
            ("insert a", "needs a drive and an image"),
            ("quit now", "takes nothing"),
            ("screenshot", "needs the name"),
        ] {
            let text = trouble(script);
            assert!(text.contains(reason) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn escapes_become_characters() {
        assert_eq!(unescape(r"a\n\t\\\e").as_deref(), Ok("a\n\t\\\u{1b}"));
        assert!(unescape(r"a\").is_err() && unescape(r"\x41").is_err());
    }
}
