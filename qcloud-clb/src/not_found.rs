use qcloud_core::Error;

/// Whether an answer says that a load balancer, listener or rule does not exist.
///
/// CLB says so in two ways: with a code of its own (`InvalidParameter.LBIdNotFound`), which
/// [`Error::is_not_found`] knows, and with the plain code `InvalidParameter`, where only the message tells. This
/// function knows both.
#[must_use]
pub fn is_not_found(error: &Error) -> bool {
    if error.is_not_found() {
        return true;
    }
    let message = error.message().to_ascii_lowercase();
    error.code() == Some("InvalidParameter")
        && ["not exist", "not found", "does not exist", "cannot be found"].iter().any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_not_found_are_known() {
        let error = |code: &str, message: &str| Error::service("clb:DeleteLoadBalancer", code, message, "r");
        assert!(is_not_found(&error("InvalidParameter.LBIdNotFound", "")));
        assert!(is_not_found(&error("InvalidParameter", "LoadBalancer not exist")));
        assert!(!is_not_found(&error("InvalidParameter", "port out of range")));
        assert!(!is_not_found(&error("FailedOperation", "LoadBalancer not exist")));
    }
}
