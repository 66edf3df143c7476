pub struct Greet;

impl Step for Greet {
    const NAME: &'static str = "greet";          // stored: a new meaning is a new name
    const QUEUE: &'static str = "network";       // which workers run it
    const DEADLINE: Duration = Duration::from_secs(30);
    type Input = String;
    type Output = usize;
    fn key(name: &String) -> String { format!("greet/{name}") }   // from the input alone: asking twice is asking once
    fn effects(name: &String, _output: &usize) -> Effects {       // commits with the output
        Effects { events: vec![(format!("greeted/{name}"), json!(true))], ..Effects::default() }
    }
}

struct Greeter { client: Arc<dyn Client> }

#[async_trait]
impl Handler<Greet> for Greeter {
    type Error = ClientError;
    /// Safe to run twice: the other side keeps one greeting a name.
    async fn run(&self, name: String, _context: &StepContext) -> Result<Outcome<usize>, ClientError> {
        Ok(Outcome::Done(self.client.greet(&name).await?))
    }
}

pub struct GreetAll;

#[async_trait]
impl FlowDefinition for GreetAll {
    const NAME: &'static str = "greet_all";
    type Input = Vec<String>;
    type Output = usize;
    fn key(names: &Vec<String>) -> String { format!("greet_all/{}", names.join(",")) }
    async fn run(flow: &Flow, names: Vec<String>) -> Result<usize, FlowError> {
        let sent = flow.join_steps::<Greet>(names, OnFailure::Collect).await?;
        Ok(sent.into_iter().flatten().sum())
    }
}
