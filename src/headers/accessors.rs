/// How the header fields of a head are looked at, for a type that has them as `fields`.
macro_rules! header_accessors {
    () => {
        /// All header fields in their order. Names are as they came, in any case.
        pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
            self.fields.iter()
        }

        /// The value of the first header of a name, whatever the case of its letters.
        #[must_use]
        pub fn header(&self, name: &str) -> Option<&[u8]> {
            self.fields.first(name)
        }

        /// The values of all headers of a name, in their order: cookies, for example.
        pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
            self.fields.named(name)
        }
    };
}

pub(crate) use header_accessors;
