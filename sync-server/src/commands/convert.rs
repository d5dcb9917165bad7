//! A lead becomes a client: `convert lead`.

use branchline_core::Result;
use branchline_core::crm::convert_lead;
use branchline_core::message::Message;
use clap::{Args, Subcommand};
use serde_json::json;

use super::shape::Shaper;
use crate::context::Context;
use crate::output::Answer;

/// Turn a lead into an account, a contact and an opportunity, once, whoever does it where.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline convert lead name=\"Iryna Melnyk\"")]
pub struct Convert {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Convert a lead.
    #[command(after_help = "Example:\n  branchline convert lead name=\"Iryna Melnyk\"")]
    Lead {
        /// An id, a unique prefix of one, or FIELD=VALUE of a natural key.
        record: String,
    },
}

impl Convert {
    /// Converts, or tells what the lead became before.
    ///
    /// # Errors
    /// Those of the look-up, of the rights and of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let What::Lead { record } = &self.what;
        let replica = context.open()?;
        let lead = replica.find("lead", record)?;
        let made = convert_lead(&replica, &lead)?;
        let shaper = Shaper::new(&replica);
        Ok(Answer::of(
            context,
            || {
                json!({
                    "account": shaper.reference(Some(&made.account)),
                    "contact": shaper.reference(Some(&made.contact)),
                    "opportunity": shaper.reference(Some(&made.opportunity)),
                })
            },
            || {
                let label = |id| shaper.label(id).unwrap_or_default();
                Message::new("lead-converted")
                    .with("account", label(&made.account))
                    .with("contact", label(&made.contact))
                    .with("opportunity", label(&made.opportunity))
                    .render(context.language())
            },
        ))
    }
}
