//! A cloud in memory: rents every pod at once, unless told otherwise.

use std::sync::Mutex;

use async_trait::async_trait;
use url::Url;

use super::{CloudError, CloudKind, CloudPod, GpuCloud, PodSpec};
use crate::clients::script::{Script, lock};

/// Keeps pods in memory; fails when told to.
#[derive(Debug)]
pub struct FakeCloud {
    /// Failures to give to the next rentals, and the names asked for.
    pub creates: Script<String, CloudError>,
    /// Failures to give to the next deletions, and the ids asked for.
    pub deletes: Script<String, CloudError>,
    kind: CloudKind,
    pod_url: Url,
    pods: Mutex<Vec<CloudPod>>,
}

impl FakeCloud {
    /// A cloud without pods, in which each pod that will be rented answers at `pod_url`.
    pub fn new(kind: CloudKind, pod_url: Url) -> Self {
        Self {
            creates: Script::default(),
            deletes: Script::default(),
            kind,
            pod_url,
            pods: Mutex::default(),
        }
    }

    /// The pods rented and not deleted.
    pub fn pods(&self) -> Vec<CloudPod> {
        lock(&self.pods).clone()
    }
}

#[async_trait]
impl GpuCloud for FakeCloud {
    fn kind(&self) -> CloudKind {
        self.kind
    }

    async fn list(&self) -> Result<Vec<CloudPod>, CloudError> {
        Ok(self.pods())
    }

    async fn create(&self, spec: &PodSpec) -> Result<String, CloudError> {
        if let Some(error) = self.creates.ask(spec.name.clone()) {
            return Err(error);
        }
        let id = format!("fake-{}", self.creates.count());
        let pod = CloudPod {
            id: id.clone(),
            name: spec.name.clone(),
            url: Some(self.pod_url.clone()),
        };
        lock(&self.pods).push(pod);
        Ok(id)
    }

    async fn delete(&self, id: &str) -> Result<(), CloudError> {
        if let Some(error) = self.deletes.ask(id.to_owned()) {
            return Err(error);
        }
        lock(&self.pods).retain(|pod| pod.id != id);
        Ok(())
    }
}
