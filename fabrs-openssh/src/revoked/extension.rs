//! Extensions of a KRL: named data for later versions of the format.

use super::wire_reader::WireReader;

/// Reads an extension. No extension is supported, so a critical extension is an error.
pub(super) fn read_extension(section: &mut WireReader<'_>) -> Result<(), String> {
    let name = section.text()?;
    let is_critical = section.byte()? != 0;
    let _contents = section.string()?;
    section.finish()?;
    if is_critical {
        let name = String::from_utf8_lossy(name);
        return Err(format!("unsupported critical extension `{}`", name.escape_debug()));
    }
    Ok(())
}
