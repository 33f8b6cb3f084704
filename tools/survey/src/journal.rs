// SPDX-License-Identifier: GPL-2.0

//! What was found so far, a line for each: an interrupted survey goes on where it was, and one that brought the
//! machine down doesn't try that again.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use survey_lib::report::{Capability, Cell};

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// A cell is begun: with its name.
    Begun(String),
    /// That is what came of it.
    Cell(Box<Cell>),
    /// Whether the device on top of a subject asks for stable pages, on disks that do or that don't.
    Asks {
        subject: String,
        capability: Capability,
        does: bool,
    },
}

/// The file.
pub(crate) struct Journal {
    file: File,
    /// What was in it.
    pub(crate) before: Vec<Line>,
}

impl Journal {
    /// Opens it, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let said = |error: std::io::Error| format!("{}: {error}", path.display());
        // Not to append: where the host has the file, it would put whole pages at its end.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(said)?;
        let mut before = Vec::new();
        for line in BufReader::new(&file).lines() {
            // One that was cut off is as good as none.
            if let Ok(line) = serde_json::from_str(&line.map_err(said)?) {
                before.push(line);
            }
        }
        file.seek(SeekFrom::End(0)).map_err(said)?;
        let mut journal = Self { file, before };
        // After one that was cut off.
        journal.write("\n")?;
        Ok(journal)
    }

    /// Adds a line, which is there whatever happens then.
    pub(crate) fn add(&mut self, line: &Line) -> Result<(), String> {
        let text = serde_json::to_string(line).map_err(|error| error.to_string())?;
        self.write(&format!("{text}\n"))
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|error| format!("the journal: {error}"))
    }
}
