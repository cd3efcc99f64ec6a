//! What a script waits for: a regular expression, where `^` and `$` are the ends of lines.

use regex::{Regex, RegexBuilder};

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no regular expression ({0}); put a backslash before a character to mean just that one"
)]
pub struct BadPattern(String);

impl Pattern {
    /// Reads a regular expression.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        let built = RegexBuilder::new(text).multi_line(true).build();
        built.map(Self).map_err(|error| {
            // The last line has the reason; those before draw it.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            BadPattern(last.trim_start_matches("error: ").to_owned())
        })
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is somewhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Where its first match in the text ends.
    pub(super) fn find_end(&self, text: &str) -> Option<usize> {
        self.0.find(text).map(|found| found.end())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn lines_have_ends() {
        let prompt = Pattern::new(r"^C:\\>$").unwrap();
        assert!(prompt.is_match("Welcome\nC:\\>\n"));
        assert!(!prompt.is_match("Welcome to C:\\>"));
    }

    #[test]
    fn a_bad_expression_is_told_in_one_line() {
        let text = Pattern::new("a(b").unwrap_err().to_string();
        assert!(
            text.contains("unclosed group") && !text.contains('\n'),
            "{text}"
        );
    }
}
