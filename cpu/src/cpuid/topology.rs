//! How processors are divided into sockets, cores and threads, and what APIC IDs tell of it (SDM 3A, 11.9).

/// How a machine's processors are divided: a socket has cores, a core has threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Packages, at least one.
    pub sockets: u16,
    /// Cores of each, at least one.
    pub cores: u16,
    /// Threads of each core, at least one.
    pub threads: u16,
}

impl Topology {
    /// One socket with cores of one thread each.
    #[must_use]
    pub const fn one_socket(cores: u16) -> Self {
        Self {
            sockets: 1,
            cores,
            threads: 1,
        }
    }

    /// How many processors that makes.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::from(self.sockets) * u32::from(self.package())
    }

    /// How many of them are in a socket.
    #[must_use]
    pub const fn package(self) -> u16 {
        self.cores.saturating_mul(self.threads)
    }

    /// The APIC ID of a processor by its number: the threads of a core follow each other, then the cores of a socket. Each
    /// has whole bits of the ID, so where there is no power of two of them IDs are left out.
    #[must_use]
    pub fn apic_id(self, number: u16) -> u16 {
        let [package, threads] = [self.package(), self.threads].map(|count| count.max(1));
        let (socket, within) = (number / package, number % package);
        let (core, thread) = (within / threads, within % threads);
        socket << self.package_bits() | core << self.thread_bits() | thread
    }

    /// How many low bits of an APIC ID tell a core's threads apart.
    #[must_use]
    pub const fn thread_bits(self) -> u32 {
        id_bits(self.threads)
    }

    /// How many low bits of an APIC ID tell a socket's processors apart.
    #[must_use]
    pub const fn package_bits(self) -> u32 {
        id_bits(self.threads) + id_bits(self.cores)
    }
}

/// How many bits it takes to tell so many apart.
const fn id_bits(count: u16) -> u32 {
    (count as u32).next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::Topology;

    #[test]
    fn cores_of_a_lone_socket_are_numbered_without_gaps() {
        for cores in 1..=64 {
            let all = Topology::one_socket(cores);
            assert_eq!(all.count(), u32::from(cores));
            assert!((0..cores).all(|number| all.apic_id(number) == number));
        }
    }

    #[test]
    fn sockets_cores_and_threads_have_bits_of_their_own() {
        let uneven = Topology {
            sockets: 2,
            cores: 3,
            threads: 2,
        };
        let ids: Vec<_> = (0..12).map(|number| uneven.apic_id(number)).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
        assert_eq!((uneven.thread_bits(), uneven.package_bits()), (1, 3));
    }

    /// What an xAPIC can address: FFh is everybody.
    #[test]
    fn sixty_four_processors_fit_however_they_are_divided() {
        for sockets in 1..=64u16 {
            for cores in 1..=64 / sockets {
                for threads in 1..=64 / sockets / cores {
                    let topology = Topology {
                        sockets,
                        cores,
                        threads,
                    };
                    let last = topology.count() as u16 - 1;
                    assert!(topology.apic_id(last) < 0xff, "{topology:?}");
                }
            }
        }
    }
}
