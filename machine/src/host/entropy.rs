//! The host's entropy, asked once at power-on: the seed of the numbers that RDRAND and RDSEED give.

use super::HostError;

/// A seed that nobody can guess.
///
/// # Errors
/// When the host has none.
pub fn entropy() -> Result<[u8; 32], HostError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|reason| HostError::Entropy { reason })?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::entropy;

    #[test]
    fn no_two_seeds_are_alike() {
        assert_ne!(entropy().unwrap(), entropy().unwrap());
    }
}
