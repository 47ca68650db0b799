//! One spelling for every JSON text of the same meaning.
//!
//! Not by way of a parsed value: that would round long numbers, making different amounts equal, and keep the
//! last of two equal keys.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

/// Deeper than anybody nests a request, and far from the end of a thread's stack.
const DEEPEST: usize = 128;

/// The canonical spelling of `body`, if it is JSON that has one.
pub(super) fn canonical(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = Vec::with_capacity(text.len());
    Scanner { rest: text }.value(&mut out, DEEPEST)?;
    Some(out)
}

/// Walks text that is known to be JSON. `None` anywhere means that it has no canonical spelling.
struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.object(out, depth),
            b'[' => self.array(out, depth),
            b'"' => {
                let text = self.string()?;
                write_string(out, &text)
            }
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(self.rest.len());
                out.extend_from_slice(self.take(end)?.as_bytes());
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let mut members = BTreeMap::new();
        self.take(1)?;
        while self.peek()? != b'}' {
            let name = self.string()?;
            self.skip(b':')?;
            let mut value = Vec::new();
            self.value(&mut value, depth)?;
            if members.insert(name, value).is_some() {
                return None;
            }
            self.separator()?;
        }
        self.take(1)?;
        out.push(b'{');
        for (name, value) in members {
            write_string(out, &name)?;
            out.push(b':');
            out.extend_from_slice(&value);
            out.push(b',');
        }
        out.push(b'}');
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.take(1)?;
        out.push(b'[');
        while self.peek()? != b']' {
            self.value(out, depth)?;
            out.push(b',');
            self.separator()?;
        }
        self.take(1)?;
        out.push(b']');
        Some(())
    }

    /// The string that starts here, unescaped.
    fn string(&mut self) -> Option<String> {
        self.peek()?;
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })?;
        // One for the opening quote, one to include the closing one.
        serde_json::from_str(self.take(end + 2)?).ok()
    }

    fn separator(&mut self) -> Option<()> {
        if self.peek()? == b',' {
            self.take(1)?;
        }
        Some(())
    }

    fn skip(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.take(1)).flatten().map(drop)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.bytes().next()
    }

    fn take(&mut self, length: usize) -> Option<&'t str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) -> Option<()> {
    serde_json::to_writer(out, text).ok()
}
