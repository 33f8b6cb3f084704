// SPDX-License-Identifier: GPL-2.0

//! The first violation of a combination: where, and which bytes.

use indicatif::HumanCount;
use maud::{html, Markup};
use survey_lib::report::Violation;

/// Bytes in a line: as many as a phone has room for.
const LINE: usize = 8;

pub(crate) fn facts(first: &Violation) -> Markup {
    html! {
        dl {
            dt { "First violation" }
            dd {
                "after " (format!("{:.3}", first.seconds)) " s, " (first.what)
                @if let Some(inode) = first.inode { ", inode " (inode) }
                @if let Some(offset) = first.offset { ", offset " (HumanCount(offset)) }
                ", on the device in sector " (HumanCount(first.sector))
            }
            dt { "Bytes" }
            dd { (ranges(&first.bytes)) " of the protection interval; − as submitted, + at the transfer" }
        }
        @if !first.before.is_empty() { (hex_diff(first)) }
    }
}

fn ranges(bytes: &[(u32, u32)]) -> String {
    let texts: Vec<String> = bytes
        .iter()
        .map(|(begin, end)| match begin == end {
            true => begin.to_string(),
            false => format!("{begin}–{end}"),
        })
        .collect();
    texts.join(", ")
}

/// Lines that were submitted, and what they were at the transfer if they differ.
fn hex_diff(first: &Violation) -> Markup {
    let begin = first.bytes.first().map_or(0, |range| range.0 as usize);
    let lines = first.before.chunks(LINE).zip(first.after.chunks(LINE));
    html! {
        pre.hex aria-label="Bytes before and after" {
            @for (index, (before, after)) in lines.enumerate() {
                (format!("{:>4}", begin + index * LINE))
                @if before == after {
                    "   " (line(before, before))
                } @else {
                    " − " del { (line(before, after)) } "\n     + " ins { (line(after, before)) }
                }
                "\n"
            }
        }
    }
}

/// A line in which bytes that the other one has otherwise are marked.
fn line(bytes: &[u8], other: &[u8]) -> Markup {
    html! {
        @for (index, (byte, other)) in bytes.iter().zip(other).enumerate() {
            @if index > 0 { " " }
            @if byte == other { (format!("{byte:02x}")) } @else { b { (format!("{byte:02x}")) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{hex_diff, ranges};
    use survey_lib::report::Violation;

    #[test]
    fn bytes_that_differ_are_marked() {
        let first = Violation {
            seconds: 0.0,
            inode: None,
            offset: None,
            what: String::new(),
            sector: 0,
            bytes: vec![(10, 10)],
            before: b"\x01\x02\x03\x04\x05\x06\x07\x08\xaa".into(),
            after: b"\x01\xff\x03\x04\x05\x06\x07\x08\xaa".into(),
        };
        let text = hex_diff(&first).into_string();
        assert!(text.contains("  10 − <del>01 <b>02</b> 03"), "{text}");
        assert!(text.contains("     + <ins>01 <b>ff</b> 03"), "{text}");
        assert!(text.contains("  18   aa\n"), "{text}");
    }

    #[test]
    fn ranges_in_words() {
        assert_eq!(ranges(&[(10, 12), (100, 100)]), "10–12, 100");
    }
}
