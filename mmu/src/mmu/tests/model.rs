//! TLBs against a model that remembers what may still be cached.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;

/// A translation that may still be cached.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    /// The PCID it was made for; `None` if it is global.
    context: Option<u16>,
    /// An address that it was used for.
    address: u64,
    page: plain::Page,
}

impl Known {
    fn covers(&self, address: u64) -> bool {
        self.address >> self.page.size_bits == address >> self.page.size_bits
    }
}

/// What the architecture lets a processor remember: every translation used
/// since it was last invalidated.
#[derive(Default)]
struct Model {
    known: Vec<Known>,
}

impl Model {
    fn learn(&mut self, pcid: u16, address: u64, page: &plain::Page) {
        let context = (!page.global).then_some(pcid);
        let known = Known {
            context,
            address,
            page: page.clone(),
        };
        if !self.known.contains(&known) {
            self.known.push(known);
        }
    }

    /// The physical addresses that an access may find without a walk.
    fn remembered(&self, c: &Controls, access: Access, pcid: u16, address: u64) -> Vec<u64> {
        self.known
            .iter()
            .filter(|known| known.context.is_none_or(|context| context == pcid))
            .filter(|known| known.covers(address) && plain::allowed(c, access, &known.page))
            .map(|known| {
                let offset = (1 << known.page.size_bits) - 1;
                known.page.physical & !offset | address & offset
            })
            .collect()
    }

    fn forget(&mut self, address: u64, which: impl Fn(Option<u16>) -> bool) {
        self.known
            .retain(|known| !(which(known.context) && known.covers(address)));
    }

    fn flush(&mut self, which: impl Fn(Option<u16>) -> bool) {
        self.known.retain(|known| !which(known.context));
    }
}

/// A processor and its model, driven by dice.
struct Bench {
    dice: Dice,
    kind: Kind,
    memory: Arc<PhysicalMemory>,
    mmu: Mmu,
    model: Model,
    controls: Controls,
    pcid: u16,
    addresses: Vec<u64>,
}

impl Bench {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let memory = memory();
        fill_tables(&memory, &mut dice, kind);
        let controls = controls(&mut dice, kind);
        let mmu = Mmu::new(Arc::clone(&memory));
        let mut bench = Self {
            kind,
            memory,
            mmu,
            model: Model::default(),
            controls,
            pcid: 0,
            addresses: Vec::new(),
            dice,
        };
        // Few addresses, near to each other, so that they meet again; the
        // second of a pair lies in the other half of a 4 MiB page.
        for _ in 0..4 {
            let address = bench.controls.truncate(bench.dice.roll());
            bench
                .addresses
                .extend([address, address ^ 0x1000, address ^ 1 << 21]);
        }
        bench
    }

    fn address(&mut self) -> u64 {
        self.addresses[self.dice.below(self.addresses.len() as u64) as usize]
    }

    fn step(&mut self) {
        match self.dice.below(16) {
            0..10 => self.access(),
            10 | 11 => self.modify(),
            12 => self.change_permissions(),
            13 => self.switch(),
            14 => self.flush(),
            _ => self.invalidate(),
        }
    }

    fn access(&mut self) {
        let (access, address) = (access(&mut self.dice), self.address());
        let linear = LinearAddress(address);
        let now = plain::translate(&reader(&self.memory), &self.controls, access, address);
        let mut allowed = self
            .model
            .remembered(&self.controls, access, self.pcid, address);
        allowed.extend(now.as_ref().map(|page| page.physical));
        if !access.is_execute() {
            let first = match access.kind {
                AccessKind::Write => self.mmu.tlb.probe_write(access.view(), linear, 1),
                _ => self.mmu.tlb.probe_read(access.view(), linear, 1),
            };
            if let Some(host) = first {
                let offset = host.0 - self.memory.ram().base().0;
                assert!(
                    allowed.contains(&offset),
                    "{:?} {offset:x} {allowed:x?}",
                    self.kind
                );
                return;
            }
        }
        let found = if access.is_execute() {
            self.mmu.fetch_page(&self.controls, access, linear)
        } else {
            self.mmu.translate(&self.controls, access, linear)
        };
        match (&found, &now) {
            (Ok(found), _) => {
                let physical = found.physical.0;
                assert!(
                    allowed.contains(&physical),
                    "{:?} {physical:x} {allowed:x?}",
                    self.kind
                );
            }
            (Err(fault), Err(code)) => assert_eq!(fault.error_code.bits(), *code),
            (Err(fault), Ok(_)) => panic!("{fault:x?}, where none is due"),
        }
        if let Ok(page) = &now {
            self.model.learn(self.pcid, address, page);
        }
    }

    /// Changes an entry on the way to an address; it is not always told.
    fn modify(&mut self) {
        let address = self.address();
        let walked = plain::walk(&reader(&self.memory), &self.controls, address);
        let Ok(page) = walked else { return };
        let Some(&at) = page
            .entries
            .get(self.dice.below(page.entries.len().max(1) as u64) as usize)
        else {
            return;
        };
        let size = if self.kind == Kind::Legacy { 4 } else { 8 };
        let entry = entry(&mut self.dice, self.kind).to_le_bytes();
        // The entry may lie in no RAM: then it cannot change.
        let _ = self.memory.ram_write(PhysicalAddress(at), &entry[..size]);
        if self.dice.chance(2) {
            self.mmu.flush_all();
            self.model.flush(|_| true);
        }
    }

    fn change_permissions(&mut self) {
        let other = controls(&mut self.dice, self.kind);
        let bits = 1 << 21 | 1 << 22 | 1 << 24;
        self.controls.cr0 = other.cr0;
        self.controls.cr4 = self.controls.cr4 & !bits | other.cr4 & bits;
        (self.controls.pkru, self.controls.pkrs) = (other.pkru, other.pkrs);
        self.mmu.flush_l1();
    }

    fn switch(&mut self) {
        let other = controls(&mut self.dice, self.kind);
        self.controls.cr3 = other.cr3;
        self.controls.pdptes = other.pdptes;
        self.pcid = self.dice.below(4) as u16;
        let keep = self.dice.chance(2);
        let pcid = self.pcid;
        if !keep {
            self.model.flush(|context| context == Some(pcid));
        }
        self.mmu.switch_context(Some(pcid), keep);
    }

    fn flush(&mut self) {
        let pcid = self.dice.below(4) as u16;
        match self.dice.below(3) {
            0 => {
                self.mmu.flush_non_global(pcid);
                self.model.flush(|context| context == Some(pcid));
            }
            1 => {
                self.mmu
                    .invpcid(InvpcidKind::AllNonGlobal, 0, LinearAddress(0));
                self.model.flush(|context| context.is_some());
            }
            _ => {
                self.mmu.invpcid(InvpcidKind::All, 0, LinearAddress(0));
                self.model.flush(|_| true);
            }
        }
    }

    fn invalidate(&mut self) {
        let (pcid, address) = (self.pcid, self.address());
        if self.dice.chance(2) {
            self.mmu.invalidate_page(LinearAddress(address));
            self.model
                .forget(address, |context| context.is_none_or(|of| of == pcid));
        } else {
            let pcid = self.dice.below(4) as u16;
            self.mmu
                .invpcid(InvpcidKind::Address, pcid, LinearAddress(address));
            self.model.forget(address, |context| context == Some(pcid));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_outlives_its_flush(seed in any::<u64>()) {
        let kinds = [Kind::Legacy, Kind::Pae, Kind::FourLevel, Kind::FiveLevel];
        let mut bench = Bench::new(kinds[(seed % 4) as usize], seed);
        for _ in 0..400 {
            bench.step();
        }
    }
}
