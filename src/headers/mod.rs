//! Grammar of HTTP header fields (RFC 9110 §5): names, values, lists and extensions.
//!
//! Every parser here takes one pass over its input, whatever the input is.

mod accessors;
mod extension;
mod extensions;
mod field;
mod list;

pub(crate) use accessors::header_accessors;
pub use extension::Extension;
pub use extensions::ExtensionError;
pub(crate) use extensions::ExtensionList;
pub use field::HeaderError;
pub(crate) use field::{Fields, check_header, is_token, put_header, trim};
pub(crate) use list::{elements, lists_token};
