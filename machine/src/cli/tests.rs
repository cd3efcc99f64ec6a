//! Command lines as a user types them.

use super::*;
use crate::NetworkModel;
use crate::host::{Access, ImageOptions};

const MODELS: &[&str] = &["max", "486", "x86-64"];

fn run(words: &str) -> RunOptions {
    let words = ["rax", "run"]
        .into_iter()
        .chain(words.split(' ').filter(|word| !word.is_empty()));
    match parse_from(words, MODELS).expect("is understood") {
        Command::Run(options) => *options,
        other => panic!("{other:?}"),
    }
}

fn mistake(words: &[&str]) -> String {
    let stop = parse_from(["rax", "run"].iter().chain(words), MODELS).expect_err("is a mistake");
    assert_eq!(stop.code, 2);
    assert_eq!(stop.text.matches('\n').count(), 1, "{}", stop.text);
    stop.text
}

#[test]
fn no_option_boots_the_embedded_rom() {
    let options = run("");
    assert_eq!(
        (options.kernel, options.memory_bytes, options.cpu.as_str()),
        (None, 512 << 20, "max")
    );
    assert_eq!(
        (options.serial, options.engine),
        (vec![SerialOption::Stdio], None)
    );
    assert_eq!(options.clock, ClockSource::Real);
}

#[test]
fn every_option_is_understood() {
    let options = run(
        "--kernel k --initrd a --initrd b --append -x=1 --memory 1G --disk d,snapshot --serial none \
         --debugcon log --cpu 486 --engine jit --clock virtual --seed 7 --debug-exit 0xf4 --timeout 2.5 \
         --max-instructions 1_000 --no-reboot --stats --trace t \
         --lockstep-slice 500 --jit-cache 2M --vga std --vga-bios rom --screenshot s.png --script s.rax \
         --display vnc=10.0.0.1:5901 --vnc-password p \
         --parallel file:lpt --net ne2000 --net rtl8139,loopback --cpus 4 --smbios type1-serial=7",
    );
    let expected = RunOptions {
        kernel: Some("k".into()),
        bios: None,
        flash_vars: None,
        initrds: vec!["a".into(), "b".into()],
        append: "-x=1".into(),
        memory_bytes: 1 << 30,
        media: MediaOptions {
            disks: vec![ImageOptions::new("d", Access::Snapshot)],
            ..MediaOptions::default()
        },
        screen: ScreenOptions {
            vga: VgaModel::Std,
            vga_bios: Some(BiosOption::File("rom".into())),
            display: DisplayOption::Vnc(crate::host::VncOptions {
                address: "10.0.0.1:5901".parse().unwrap(),
                password_file: Some("p".into()),
            }),
            screenshot: Some("s.png".into()),
            script: ScriptOption::File("s.rax".into()),
        },
        serial: vec![SerialOption::None],
        parallel: ParallelOption::File("lpt".into()),
        network: vec![
            NetworkOption {
                rom: None,
                model: NetworkModel::Ne2000,
                address: [0x52, 0x54, 0, 0x12, 0x34, 0x56],
                cable: Cable::Unplugged,
            },
            NetworkOption {
                rom: None,
                model: NetworkModel::Rtl8139,
                address: [0x52, 0x54, 0, 0x12, 0x34, 0x57],
                cable: Cable::Loopback,
            },
        ],
        debugcon: Some("log".into()),
        cpu: "486".into(),
        cpus: Topology::one_socket(4),
        smbios: vec![SmbiosString {
            kind: 1,
            name: "serial",
            value: "7".into(),
        }],
        engine: Some(Engine::Jit),
        clock: ClockSource::Virtual,
        seed: Some(7),
        debug_exit: Some(0xf4),
        timeout: Some(Duration::from_millis(2500)),
        max_instructions: Some(1000),
        no_reboot: true,
        stats: true,
        trace: Some("t".into()),
        lockstep_slice: 500,
        jit_cache_bytes: 2 << 20,
    };
    assert_eq!(options, expected);
}

#[test]
fn firmware_is_named_or_a_file() {
    let bios = |name: &str| run(&format!("--bios {name}")).bios;
    assert_eq!(bios("builtin"), Some(BiosOption::Builtin));
    assert_eq!(bios("seabios"), Some(BiosOption::SeaBios));
    assert_eq!(
        bios("./seabios"),
        Some(BiosOption::File("./seabios".into()))
    );
}

#[test]
fn an_initrd_may_have_arguments() {
    let words = ["rax", "run", "--kernel", "k", "--initrd", "mod a=1 b"];
    let Command::Run(options) = parse_from(words, MODELS).expect("is understood") else {
        panic!("rax run is a run");
    };
    assert_eq!(options.initrds, ["mod a=1 b"]);
}

#[test]
fn mistakes_are_one_line_that_says_what_to_do() {
    assert_eq!(
        mistake(&["--cpu", "z80"]),
        "rax: unknown processor 'z80' after --cpu; known are max, 486, x86-64\n"
    );
    let text = mistake(&["--memory", "lots"]);
    assert!(
        text.contains("'lots' for '--memory <SIZE>'") && text.contains("such as 512M"),
        "{text}"
    );
    let text = mistake(&["--initrd", "i"]);
    assert!(text.contains("--kernel <FILE>"), "{text}");
    let text = mistake(&["--engine", "fast"]);
    assert!(text.contains("interp, jit, lockstep"), "{text}");
    let text = mistake(&["--kernle", "k"]);
    assert!(
        text.contains("'--kernle'") && text.contains("--kernel"),
        "{text}"
    );
    assert!(mistake(&["--serial", "stdio", "--serial", "stdio"]).contains("only one"));
    assert!(
        mistake(&[
            "--disk", "a", "--disk", "b", "--disk", "c", "--disk", "d", "--disk", "e"
        ])
        .contains("4 disks and CDs")
    );
    assert!(mistake(&["vmlinuz"]).contains("vmlinuz"));
    assert!(mistake(&["--kernel"]).contains("--kernel"));
}

#[test]
fn processors_are_divided_as_was_said() {
    for (text, expected) in [
        ("6", [1, 6, 1]),
        ("sockets=2", [2, 1, 1]),
        ("sockets=2,cores=3,threads=2", [2, 3, 2]),
        ("8,threads=2", [1, 4, 2]),
        ("8,sockets=2,threads=2", [2, 2, 2]),
        ("8,threads=2,cores=4", [1, 4, 2]),
    ] {
        let cpus = run(&format!("--cpus {text}")).cpus;
        assert_eq!([cpus.sockets, cpus.cores, cpus.threads], expected, "{text}");
    }
    for bad in [
        "7,sockets=2",
        "4,cores=3",
        "8,sockets=2,cores=2",
        "1,threads=2",
    ] {
        let text = mistake(&["--cpus", bad]);
        let what = "sockets times cores times threads must be the number";
        assert!(text.contains(what), "{bad}: {text}");
    }
    for bad in [
        "0",
        "65",
        "x",
        "",
        "4,",
        "cores=2,4",
        "dies=2",
        "cores=2,cores=2",
        "cores=0",
    ] {
        let text = mistake(&["--cpus", bad]);
        assert!(text.contains("give 1 to 64"), "{bad}: {text}");
    }
    assert!(mistake(&["--cpus", "sockets=9,cores=8"]).contains("at most 64"));
}

#[test]
fn help_lists_the_exit_codes_and_has_examples() {
    let stop = parse_from(["rax", "run", "--help"], MODELS).expect_err("is help");
    assert_eq!(stop.code, 0);
    for text in [
        "Exit codes:",
        "124",
        "Examples:",
        "--initrd",
        "max, 486, x86-64",
        "Ctrl-A X",
    ] {
        assert!(stop.text.contains(text), "{text} is not in\n{}", stop.text);
    }
    assert_eq!(
        parse_from(["rax", "--version"], MODELS)
            .expect_err("is the version")
            .code,
        0
    );
    assert_eq!(parse_from(["rax"], MODELS).expect_err("is help").code, 2);
}

#[test]
fn code_to_dump_comes_from_digits_or_a_file() {
    let dump = |words: &[&str]| match parse_from(["rax", "jit-dump"].iter().chain(words), MODELS) {
        Ok(Command::JitDump(options)) => Ok(options),
        Ok(other) => panic!("{other:?}"),
        Err(stop) => Err(stop.text),
    };
    let options = dump(&["--hex", "90c3", "--bits", "32", "--address", "0x10"]).unwrap();
    assert_eq!(options.source, DumpSource::Bytes(vec![0x90, 0xc3]));
    assert_eq!((options.bits, options.address), (Some(32), 0x10));
    assert_eq!(options.passes, Selection::ALL);
    let options = dump(&["f", "--symbol", "main", "--passes", "-flags"]).unwrap();
    assert_eq!(
        options.source,
        DumpSource::Symbol("f".into(), "main".into())
    );
    assert_eq!(options.passes, "forward,constants,dead".parse().unwrap());
    let options = dump(&["f", "--range", "0x10-0x20"]).unwrap();
    assert_eq!(options.source, DumpSource::Range("f".into(), 0x10..0x20));
    assert_eq!(dump(&["f"]).unwrap().source, DumpSource::Raw("f".into()));
    for (words, part) in [
        (&["--hex", "9"][..], "such as '48 01 d8'"),
        (&["f", "--passes", "inline"], "there is no pass 'inline'"),
        (&["f", "--hex", "90"], "--hex"),
        (&["f", "--bits", "8"], "give 16, 32 or 64"),
        (&[], "FILE"),
    ] {
        let text = dump(words).unwrap_err();
        assert!(
            text.contains(part) && text.matches('\n').count() == 1,
            "{text}"
        );
    }
}

#[test]
fn the_arguments_are_consistent() {
    args::Arguments::command().debug_assert();
}

#[test]
fn screen_options_are_checked() {
    assert_eq!(run("").screen, ScreenOptions::default());
    assert_eq!(run("--vga none").screen.vga, VgaModel::None);
    assert!(mistake(&["--vga", "cga"]).contains("--vga"));
    for option in ["--vga-bios", "--screenshot"] {
        assert!(mistake(&["--vga", "none", option, "x"]).contains(option));
    }
    assert!(mistake(&["--vga", "none", "--display", "terminal"]).contains("--display"));
    for bad in ["x11", "vnc=x", "vnc=1.2.3.4:99999", "vnc:5900"] {
        assert!(mistake(&["--display", bad]).contains("--display"), "{bad}");
    }
    assert!(mistake(&["--display", "vnc=0.0.0.0:5900"]).contains("--vnc-password"));
    assert!(mistake(&["--vnc-password", "p"]).contains("--vnc-password"));
    let both = ["--display", "terminal", "--serial", "stdio"];
    assert!(mistake(&both).contains("--serial"));
    assert_eq!(run("--display terminal").serial, [SerialOption::None]);
    let window = run("--display window");
    assert_eq!(window.screen.display, DisplayOption::Window);
    assert_eq!(window.serial, [SerialOption::Stdio]);
    assert!(mistake(&["--wait-text", "a("]).contains("--wait-text"));
    assert!(mistake(&["--type", r"\q"]).contains("--type"));
    assert!(mistake(&["--script", "s", "--type", "x"]).contains("--script"));
}

#[test]
fn waiting_and_typing_keep_their_order() {
    let words = ["--wait-text", "A", "--type", r"b\n", "--send", r"d\n"];
    let words = words.iter().chain(&["--wait-text", "-c"]);
    let words = ["rax", "run"].iter().chain(words);
    let Command::Run(options) = parse_from(words, MODELS).expect("is understood") else {
        panic!("rax run is a run");
    };
    let ScriptOption::Steps(steps) = options.screen.script else {
        panic!("steps were given");
    };
    use crate::automation::{Pattern, Step};
    let steps: Vec<_> = steps.into_iter().map(|(_, step)| step).collect();
    let pattern = |text| Step::WaitText(Pattern::new(text).unwrap());
    let typed = Step::Keys(crate::keys::strokes_of_text("b\n").unwrap());
    let sent = Step::Send("d\n".into());
    assert_eq!(steps, [pattern("A"), typed, sent, pattern("-c")]);
}
