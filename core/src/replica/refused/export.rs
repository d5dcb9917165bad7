//! Everything that was refused, as a file for people and programs.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::RefusedEntry;
use crate::error::Result;
use crate::message::Language;
use crate::replica::Replica;
use crate::store::files;

impl Replica {
    /// Writes the changes that the upstream refused to a JSON file, settled ones and their bytes too, and gives how many
    /// they are. The file is there whole or as it was before.
    ///
    /// # Errors
    /// Whatever reading the store or writing the file can fail with.
    pub fn export_quarantine(&self, file: &Path, language: Language) -> Result<u64> {
        let entries = self.quarantine()?;
        let document = self.refused_json(&entries, language);
        files::write_whole(file, format!("{document:#}\n").as_bytes())?;
        Ok(entries.len() as u64)
    }

    fn refused_json(&self, entries: &[RefusedEntry], language: Language) -> Json {
        let settings = self.inner.settings();
        json!({
            "workspace": settings.workspace.to_string(),
            "replica": settings.device.to_string(),
            "name": settings.node_name,
            "written_at": self.corrected_now().rfc3339(),
            "changes": entries.iter().map(|entry| entry.whole_json(self, language)).collect::<Vec<_>>(),
        })
    }
}
