//! The header accessors that requests and responses have in common.

/// Defines the header accessors of a type that stores its header fields in `fields`.
macro_rules! header_accessors {
    () => {
        /// Iterates over all header fields in order. Names keep their original case.
        pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
            self.fields.iter()
        }

        /// Returns the value of the first header with this name, ignoring ASCII case.
        #[must_use]
        pub fn header(&self, name: &str) -> Option<&[u8]> {
            self.fields.first(name)
        }

        /// Returns the value of the first header with this name as text, ignoring ASCII case of the
        /// name; `None` if there is none or it is not UTF-8.
        #[must_use]
        pub fn header_text(&self, name: &str) -> Option<&str> {
            self.fields.first_text(name)
        }

        /// Iterates over the values of all headers with this name, in order, ignoring ASCII case.
        /// Use it for headers that may repeat, such as cookies.
        pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
            self.fields.named(name)
        }
    };
}

pub(crate) use header_accessors;
