//! Where the time goes: the processor time of this program, which is client and server, and of the services.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::Failure;

/// Ticks of the processor in a second, as Linux counts them for programs.
const TICKS: f64 = 100.0;

/// Seconds of processor time, by program.
pub(crate) struct Cpu(HashMap<&'static str, f64>);

/// What a process is, and its parent.
struct Process {
    name: String,
    parent: u32,
    seconds: f64,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name may hold anything, so what is behind the last bracket counts.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        // Of itself, and of children that have ended.
        let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
        Some(Self { name: name.to_owned(), parent: fields.get(1)?.parse().ok()?, seconds: ticks / TICKS })
    }

    fn program(&self) -> &'static str {
        match &*self.name {
            name if name.starts_with("postgres") => "postgres",
            name if name.starts_with("redis") => "redis",
            name if name.starts_with("beam") || name.starts_with("erl") => "rabbitmq",
            _ => "other",
        }
    }
}

impl Cpu {
    /// Of this program and everything that it has started, until now.
    pub(crate) fn now() -> Result<Self, Failure> {
        let ids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let all: HashMap<u32, Process> = ids.filter_map(|id| Some((id, Process::read(id)?))).collect();
        let own = std::process::id();
        let is_ours = |mut id: u32| {
            while let Some(process) = all.get(&id) {
                if id == own {
                    return true;
                }
                id = process.parent;
            }
            false
        };
        let mut seconds = HashMap::new();
        for (id, process) in all.iter().filter(|(id, _)| is_ours(**id)) {
            let program = if *id == own { "yeyak" } else { process.program() };
            *seconds.entry(program).or_default() += process.seconds;
        }
        Ok(Self(seconds))
    }

    /// What was used since.
    pub(crate) fn since(self) -> Result<Self, Failure> {
        let now = Self::now()?;
        let used = |(program, seconds): (&&'static str, &f64)| {
            (*program, seconds - self.0.get(program).copied().unwrap_or_default())
        };
        Ok(Self(now.0.iter().map(used).collect()))
    }

    /// Microseconds of the processor for each call, and how much of all cores that was.
    pub(crate) fn print(&self, strategy: &str, calls: usize, taken: Duration) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let each = |program: &str| {
            let seconds = self.0.get(program).copied().unwrap_or_default();
            format!(r#""{program}_us":{:.1}"#, seconds * 1e6 / calls.max(1) as f64)
        };
        let used: f64 = self.0.values().sum();
        let parts = ["yeyak", "postgres", "redis", "rabbitmq"].map(each).join(",");
        let busy = used / (taken.as_secs_f64() * cores as f64);
        println!(
            r#"{{"bench":"coupon_rush","what":"profile","strategy":"{strategy}",{parts},"cores_used_by_us":{busy:.2}}}"#
        );
    }
}
