//! Writing lines.

/// Docs are wrapped at this column.
const WIDTH: usize = 120;

/// Rust text that grows line by line.
#[derive(Debug, Default)]
pub(crate) struct Text {
    out: String,
}

impl Text {
    /// A line, `depth` levels in.
    pub(crate) fn line(&mut self, depth: usize, line: impl AsRef<str>) {
        for _ in 0..depth {
            self.out.push_str("    ");
        }
        self.out.push_str(line.as_ref());
        self.out.push('\n');
    }

    pub(crate) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A doc comment, wrapped between words.
    pub(crate) fn doc(&mut self, depth: usize, doc: &str) {
        for paragraph in doc.split('\n') {
            let mut line = String::from("///");
            for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
                if line.len() > 3 && depth * 4 + line.len() + 1 + word.len() > WIDTH {
                    self.line(depth, &line);
                    line.truncate(3);
                }
                line.push(' ');
                line.push_str(word);
            }
            self.line(depth, &line);
        }
    }

    pub(crate) fn deprecated(&mut self, depth: usize, deprecated: bool) {
        if deprecated {
            self.line(depth, "#[deprecated(note = \"marked as deprecated in the API definition\")]");
        }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_are_wrapped() {
        let mut text = Text::default();
        text.doc(1, &format!("{}\n\nEnd.", ["word"; 30].join(" ")));
        let out = text.finish();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() <= WIDTH && line.trim_start().starts_with("///")));
        assert_eq!((lines[2], lines[3]), ("    ///", "    /// End."));
    }
}
