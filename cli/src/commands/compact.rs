//! `compact`: a store written anew.

use anyhow::Result;

use crate::args::CompactArgs;

/// Compacts a store and prints its size before and after.
pub(crate) fn compact(args: &CompactArgs) -> Result<()> {
    let done = indexer::compact::compact(&args.data_dir, 128 << 20, args.keep)?;
    let mut out = format!(
        "before  {} bytes\nafter   {} bytes\nrows    {}\ndigest  {}\n",
        done.before, done.after, done.digest.rows, done.digest.hash
    );
    if let Some(kept) = done.kept {
        out.push_str(&format!("kept    {}\n", kept.display()));
    }
    super::print(&out);
    Ok(())
}
