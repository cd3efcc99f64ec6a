use iced_x86::CpuidFeature;

use super::{Feature, Model};
use crate::control::testing::cpu;

#[test]
fn every_name_is_a_model_and_nothing_else_is() {
    assert!(Model::names().all(|name| Model::named(name).is_some()));
    assert_eq!(Model::names().last(), Some("max"));
    assert!(Model::named("pentium9").is_none());
    assert!(Model::named("").is_none());
}

#[test]
fn models_grow() {
    let has = |name: &str, feature| Model::named(name).is_some_and(|m| m.has(feature));
    assert!(has("486", CpuidFeature::FPU387));
    assert!(!has("486", CpuidFeature::CX8));
    assert!(has("pentium", CpuidFeature::TSC));
    assert!(!has("pentium", CpuidFeature::CMOV));
    assert!(has("pentium2", CpuidFeature::MMX));
    assert!(!has("pentium2", CpuidFeature::SSE));
    assert!(has("pentium4", CpuidFeature::SSE2));
    assert!(!has("pentium4", CpuidFeature::X64));
    assert!(has("x86-64", CpuidFeature::SYSCALL));
    assert!(!has("x86-64", CpuidFeature::BMI1));
    assert!(!has("x86-64", CpuidFeature::SSE3));
    for level in [
        CpuidFeature::CMPXCHG16B,
        CpuidFeature::POPCNT,
        CpuidFeature::SSE3,
        CpuidFeature::SSSE3,
        CpuidFeature::SSE4_1,
        CpuidFeature::SSE4_2,
    ] {
        assert!(has("x86-64-v2", level), "{level:?}");
    }
    assert!(!has("x86-64-v2", CpuidFeature::AES));
    assert!(!has("x86-64-v2", CpuidFeature::BMI1));
    for level in [
        CpuidFeature::AVX,
        CpuidFeature::AVX2,
        CpuidFeature::BMI1,
        CpuidFeature::BMI2,
        CpuidFeature::F16C,
        CpuidFeature::FMA,
        CpuidFeature::LZCNT,
        CpuidFeature::MOVBE,
        CpuidFeature::XSAVE,
    ] {
        assert!(has("x86-64-v3", level), "{level:?}");
    }
    assert!(!has("x86-64-v3", CpuidFeature::AES));
    assert!(has("max", CpuidFeature::ADX));
    assert!(!has("max", CpuidFeature::AVX512F));
    assert!(has("486", CpuidFeature::SMM));
}

#[test]
fn cpuid_announces_vendor_brand_and_features() {
    let cpu = cpu("max");
    let [most, b, c, d] = cpu.cpuid(0, 0);
    assert_eq!(most, 0x1f);
    let vendor: Vec<u8> = [b, d, c].iter().flat_map(|r| r.to_le_bytes()).collect();
    assert_eq!(vendor, b"GenuineIntel");
    let brand: Vec<u8> = (0x8000_0002..=0x8000_0004)
        .flat_map(|leaf| cpu.cpuid(leaf, 0))
        .flat_map(u32::to_le_bytes)
        .collect();
    assert!(brand.starts_with(b"rax virtual processor\0"));
    let [_, _, ecx, edx] = cpu.cpuid(1, 0);
    assert_eq!(edx & (1 << 9), 0, "no APIC");
    assert_eq!(edx & (1 << 28), 0, "no HTT");
    assert_eq!(ecx & 0x0218_0203, 0x0218_0203, "SSE3 to SSE4.2, AES");
    assert_eq!(ecx >> 28 & 1, 1, "AVX");
    assert_eq!(ecx >> 31, 0, "no hypervisor");
    assert_ne!(edx & (1 << 26), 0, "SSE2");
    assert_eq!(cpu.cpuid(0x4000_0000, 0), cpu.cpuid(0x1f, 0));
    assert_eq!(cpu.cpuid(7, 0)[0], 1);
    assert_eq!(cpu.cpuid(7, 1), [0x10, 0, 0, 0], "AVX-VNNI");
    assert_eq!(cpu.cpuid(7, 2), [0; 4]);
    assert_eq!(cpu.cpuid(0xd, 0), [0x207, 576, 840, 0]);
    assert_eq!(cpu.cpuid(0xd, 9), [8, 832, 0, 0]);
    assert_eq!(cpu.cpuid(0xd, 1), [0xf, 576, 0, 0]);
    assert_eq!(cpu.cpuid(0x15, 0), [1, 1, 1_000_000_000, 0]);
}

/// As the data sheets have it, but for the APIC, which no model has.
#[test]
fn amd_models_announce_what_they_had() {
    let text = |registers: [u32; 3]| registers.map(u32::to_le_bytes).concat();
    for (name, basic, extended) in [
        ("k6-2", 0x0080_21bf, 0x8080_29bf_u32),
        ("athlon", 0x0183_f9ff, 0xc1c3_f9ff),
        ("athlon64", 0x078b_f9ff, 0xe9d3_f9ff),
        ("phenom", 0x078b_f9ff, 0xedd3_f9ff),
    ] {
        let cpu = cpu(name);
        let [_, b, c, d] = cpu.cpuid(0, 0);
        assert_eq!(text([b, d, c]), b"AuthenticAMD", "{name}");
        assert_eq!(
            cpu.cpuid(1, 0)[3],
            basic,
            "{name}: {:x}",
            cpu.cpuid(1, 0)[3]
        );
        let found = cpu.cpuid(0x8000_0001, 0);
        assert_eq!(
            found[3] & !(1 << 24),
            extended & !(1 << 24),
            "{name}: {found:x?}"
        );
    }
    assert_eq!(cpu("k6-2").cpuid(0x8000_0001, 0)[0], 0x068c);
    let phenom = cpu("phenom");
    assert_eq!(
        phenom.cpuid(0x8000_0001, 0)[2],
        0x171,
        "SSE4a, LZCNT and so on"
    );
    assert_eq!(phenom.cpuid(1, 0)[2], 0x0080_2009, "POPCNT and so on");
}

#[test]
fn no_leaf_tells_more_than_the_model_has() {
    for name in Model::names() {
        let cpu = cpu(name);
        let has = |feature| cpu.model.has(feature);
        let structured = cpu.cpuid(7, 0);
        let has_leaf_7 = cpu.cpuid(0, 0)[0] >= 7;
        let is_empty = structured == [0; 4] || !has_leaf_7;
        assert!(!is_empty || !has(CpuidFeature::BMI2), "{name}");
        let sizes = cpu.cpuid(0xd, 0);
        let has_sizes = cpu.cpuid(0, 0)[0] >= 0xd && sizes != [0; 4];
        assert_eq!(has_sizes, has(CpuidFeature::XSAVE), "{name}");
        if has_sizes {
            assert_eq!(u64::from(sizes[0]), cpu.model.xcr0_bits(), "{name}");
            let ends = (2..64)
                .map(|n| cpu.cpuid(0xd, n))
                .map(|[size, at, ..]| size + at);
            assert_eq!(ends.fold(576, u32::max), sizes[2], "{name}");
        }
        let is_64_bit = cpu.cpuid(0x8000_0000, 0)[0] >= 0x8000_0008;
        assert_eq!(is_64_bit, cpu.model.has_long_mode(), "{name}");
    }
}

#[test]
fn control_bits_follow_features() {
    let old = Model::named("486").unwrap();
    assert_eq!(old.cr4_bits(), 3);
    assert_eq!(old.efer_bits(), 0);
    let pentium = Model::named("pentium").unwrap();
    assert_eq!(pentium.cr4_bits(), 0x5f);
    let max = Model::named("max").unwrap();
    assert_eq!(max.efer_bits(), 0xd01);
    assert_eq!(max.xcr0_bits(), 0x207);
    assert!(max.supports(Feature::La57));
}

#[test]
fn fast_clocks_fit_leaf_15() {
    let mut cpu = cpu("max");
    cpu.model = cpu.model.with_tsc_hz(5_000_000_000);
    let [denominator, factor, crystal, _] = cpu.cpuid(0x15, 0);
    assert_eq!(denominator, 1);
    assert_eq!(u64::from(factor) * u64::from(crystal), 5_000_000_000);
}

/// Whatever needs only these features must have a row.
#[test]
fn what_is_announced_is_implemented() {
    use CpuidFeature as F;
    let announced = [
        F::CPUID,
        F::MSR,
        F::TSC,
        F::RDTSCP,
        F::RDPMC,
        F::RDPID,
        F::INVPCID,
        F::MONITOR,
        F::SMAP,
        F::PKU,
        F::XSAVE,
        F::XSAVEOPT,
        F::FXSR,
        F::CX8,
        F::CMPXCHG16B,
        F::CLFSH,
        F::CLFLUSHOPT,
        F::CLWB,
        F::CLDEMOTE,
        F::MULTIBYTENOP,
        F::PREFETCHW,
        F::PAUSE,
        F::WBNOINVD,
        F::BMI1,
        F::BMI2,
        F::ADX,
        F::MOVBE,
        F::POPCNT,
        F::LZCNT,
        F::CMOV,
        F::MMX,
        F::SSE,
        F::SSE2,
        F::SSE3,
        F::SSSE3,
        F::SSE4_1,
        F::SSE4_2,
        F::AVX,
        F::AVX2,
        F::AES,
        F::PCLMULQDQ,
        F::SHA,
        F::XSAVEC,
        F::XSAVES,
        F::RDRAND,
        F::RDSEED,
        F::GFNI,
        F::FMA,
        F::F16C,
        F::VAES,
        F::VPCLMULQDQ,
        F::AVX_VNNI,
        F::MOVDIRI,
        F::MOVDIR64B,
        F::SERIALIZE,
    ];
    let max = Model::named("max").unwrap();
    assert!(announced.iter().all(|&feature| max.has(feature)));
    let missing: Vec<_> = iced_x86::Code::values()
        .filter(|code| code.cpuid_features().iter().all(|f| announced.contains(f)))
        .filter(|&code| !crate::insn::Table::implements(code))
        .collect();
    assert_eq!(missing, []);
}
