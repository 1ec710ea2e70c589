//! What the environment of the process says.

use crate::client::{Connector, Proxies, ProxyVariableError};

impl<M> Connector<M> {
    /// Uses the proxies that the environment of this process names in `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY`: see
    /// [`Proxies::from_variables`](crate::client::Proxies::from_variables).
    ///
    /// ```no_run
    /// use sansocket::blocking::Connector;
    ///
    /// let connector = Connector::new().proxy_from_environment()?;
    /// let (websocket, _) = connector.connect("ws://example.com/")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a variable is not the URL of a proxy.
    pub fn proxy_from_environment(self) -> Result<Self, ProxyVariableError> {
        // A variable that is not Unicode is no URL either.
        let variable =
            |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Ok(self.proxy(Proxies::from_variables(variable)?))
    }
}
