//! Guests: clients that tell a name, which nobody checks. There are some if nobody authenticates clients, for
//! the chat of the page.

use sansocket_realtime::{
    guard::{Credentials, Source},
    hub::Principal,
};

/// What the name of a guest begins with, so that it is not taken for a user.
const PREFIX: &str = "guest:";

/// The longest name of a guest, in characters.
const NAME: usize = 32;

/// Marks the principal of a guest.
struct Guest;

/// Returns the guest that a client wants to be: with STOMP, it tells a name as the login, and an empty
/// passcode.
pub(crate) fn guest(credentials: &Credentials<'_>) -> Option<Principal> {
    let (name, passcode) = credentials.as_password()?;
    let is_name = !name.trim().is_empty()
        && name.chars().count() <= NAME
        && !name.chars().any(char::is_control);
    let is_guest = *credentials.source() == Source::Login && passcode.is_empty() && is_name;
    is_guest.then(|| Principal::with_details(format!("{PREFIX}{}", name.trim()), Guest))
}

/// Returns the user, unless it is a guest. What a client may do must not depend on a name that it has given
/// itself.
pub(crate) fn known(user: Option<&Principal>) -> Option<&Principal> {
    user.filter(|user| user.details::<Guest>().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(name: &str, passcode: &str) -> Option<Principal> {
        guest(&Credentials::password(Source::Login, name, passcode))
    }

    #[test]
    fn a_guest_is_never_a_user() {
        let ann = login(" ann ", "").unwrap();
        assert_eq!(ann.name(), "guest:ann");
        assert_eq!(known(Some(&ann)), None);
        let user = Principal::new("ann");
        assert_eq!(known(Some(&user)), Some(&user));
    }

    #[test]
    fn whoever_has_credentials_or_no_name_is_no_guest() {
        assert_eq!(login("ann", "secret"), None);
        for name in ["", "  ", "a\nb", &"x".repeat(NAME + 1)] {
            assert_eq!(login(name, ""), None, "{name:?}");
        }
        assert_eq!(guest(&Credentials::token(Source::Bearer, "ann")), None);
        assert_eq!(guest(&Credentials::password(Source::Basic, "ann", "")), None);
    }
}
