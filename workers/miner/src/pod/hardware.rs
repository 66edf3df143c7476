//! A look at the GPUs before work begins: four GPUs with enough memory, or another machine.

use std::process::Command;

use serde_json::{Value, json};

/// Looks at the machine. Runs once, on a blocking thread, while the pod is warming up.
pub trait HardwareProbe: Send + Sync + 'static {
    /// What the machine has, or `None` where nothing can be said (no GPU driver: a development machine).
    fn probe(&self) -> Option<Value>;
}

/// The `all_passed` field of a report; a report without it passes.
pub(super) fn passes(report: &Value) -> bool {
    report
        .get("all_passed")
        .and_then(Value::as_bool)
        .unwrap_or(true)
}

/// Counts GPUs and their memory with the driver's own tool. Says nothing where the tool is missing.
///
/// It does not measure speed: a compute benchmark needs the miner's own stack, and can be reported with
/// [`crate::PodService::report_degraded`].
#[derive(Debug, Clone)]
pub struct NvidiaSmiProbe {
    /// The GPUs a pod should have (4 × H200).
    pub gpus: usize,
    /// The memory each should have, in GiB: 95 % of an H200's 141 GB.
    pub min_vram_gb: f64,
}

impl Default for NvidiaSmiProbe {
    fn default() -> Self {
        Self {
            gpus: 4,
            min_vram_gb: 134.0,
        }
    }
}

impl HardwareProbe for NvidiaSmiProbe {
    fn probe(&self) -> Option<Value> {
        let output = Command::new("nvidia-smi")
            .args([
                "--query-gpu=index,name,memory.total",
                "--format=csv,noheader,nounits",
            ])
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| self.report(&String::from_utf8_lossy(&output.stdout)))
    }
}

impl NvidiaSmiProbe {
    fn report(&self, table: &str) -> Value {
        let gpus: Vec<Value> = table.lines().filter_map(|line| self.gpu(line)).collect();
        let all_passed = gpus.len() >= self.gpus && gpus.iter().all(|gpu| gpu["passed"] == true);
        json!({
            "benchmark": "gpu_health",
            "threshold_vram_gb": self.min_vram_gb,
            "expected_gpus": self.gpus,
            "all_passed": all_passed,
            "gpus": gpus,
        })
    }

    fn gpu(&self, line: &str) -> Option<Value> {
        let mut cells = line.split(',').map(str::trim);
        let (index, name, mebibytes) = (cells.next()?, cells.next()?, cells.next()?);
        let vram_gb = (mebibytes.parse::<f64>().ok()? / 1024.0 * 10.0).round() / 10.0;
        let passed = vram_gb >= self.min_vram_gb;
        Some(json!({
            "gpu_id": index.parse::<u32>().ok()?,
            "gpu_name": name,
            "vram_gb": vram_gb,
            "vram_passed": passed,
            "passed": passed,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_small_gpu_fails_the_machine() {
        let probe = NvidiaSmiProbe {
            gpus: 2,
            min_vram_gb: 134.0,
        };
        let healthy = "0, NVIDIA H200, 143771\n1, NVIDIA H200, 143771\n";
        assert!(passes(&probe.report(healthy)));
        assert!(!passes(&probe.report("0, NVIDIA H200, 143771\n")));
        assert!(!passes(&probe.report(
            "0, NVIDIA H200, 143771\n1, NVIDIA H100 80GB HBM3, 81559\n"
        )));
    }
}
