//! What a module did wrong: a stage, a rule and a sentence for its author.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One broken rule. All failures of the last stage that ran are reported, in the order the stage found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Where validation stood.
    pub stage: Stage,
    /// Which rule broke.
    pub rule: Rule,
    /// Free text for people; lines are counted from 1.
    pub detail: String,
}

impl Failure {
    /// A failure of `stage` under `rule`, told by `detail`.
    pub fn new(stage: Stage, rule: Rule, detail: impl Into<String>) -> Self {
        Self {
            stage,
            rule,
            detail: detail.into(),
        }
    }

    /// Whether the module will fail like this each time, on any machine. Time and memory are the machine's as well, and
    /// what a module throws may be a memory error.
    pub const fn is_certain(&self) -> bool {
        !matches!(
            self.rule,
            Rule::TimeoutExceeded
                | Rule::HeapExceeded
                | Rule::ExecutionThrew
                | Rule::RenderRunFailed
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.stage, self.rule, self.detail)
    }
}

/// The stages in the order they run. A failure in one ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Size and syntax.
    Parse,
    /// Rules over the syntax tree; no code has run.
    StaticAnalysis,
    /// The module is evaluated by the engine.
    ModuleLoad,
    /// The default export runs.
    Execution,
    /// The returned scene is measured.
    PostValidation,
    /// The scene is drawn.
    Render,
}

impl Stage {
    /// The stage's name as reports spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::StaticAnalysis => "static_analysis",
            Self::ModuleLoad => "module_load",
            Self::Execution => "execution",
            Self::PostValidation => "post_validation",
            Self::Render => "render",
        }
    }

    /// The stages that every module which passes goes through.
    pub const VALIDATION: [Self; 5] = [
        Self::Parse,
        Self::StaticAnalysis,
        Self::ModuleLoad,
        Self::Execution,
        Self::PostValidation,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The rule codes miners see. Source: render specification, code catalogue; the last ones are Assize's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Rule {
            /// The code as reports spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The rule spelled `code`, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

rules! {
    /// The source is larger than 1 MiB.
    FileSizeExceeded = "FILE_SIZE_EXCEEDED",
    /// The source is not an ES module.
    ParseError = "PARSE_ERROR",
    /// No `export default` of a function.
    MissingDefaultExport = "MISSING_DEFAULT_EXPORT",
    /// More than one export statement.
    MultipleTopLevelExports = "MULTIPLE_TOP_LEVEL_EXPORTS",
    /// Asynchronous code, or a result with a `then` method.
    AsyncNotAllowed = "ASYNC_NOT_ALLOWED",
    /// A name that is refused wherever it is spelled.
    ForbiddenIdentifier = "FORBIDDEN_IDENTIFIER",
    /// A global that is not on the allow-list.
    IdentifierNotAllowed = "IDENTIFIER_NOT_ALLOWED",
    /// A Three.js member that modules may not use.
    ForbiddenThreeApi = "FORBIDDEN_THREE_API",
    /// A Three.js member in neither table.
    UnknownThreeApi = "UNKNOWN_THREE_API",
    /// The namespace used where no binding of it is visible.
    ThreeAtTopLevel = "THREE_AT_TOP_LEVEL",
    /// The namespace stored, renamed or passed on where the rules cannot follow it.
    ThreeAliasForbidden = "THREE_ALIAS_FORBIDDEN",
    /// Bracket access on a gated name.
    ComputedPropertyAccess = "COMPUTED_PROPERTY_ACCESS",
    /// A property that reaches code generation.
    ForbiddenPropertyAccess = "FORBIDDEN_PROPERTY_ACCESS",
    /// Strings and numbers of more than 50 KiB.
    LiteralBudgetExceeded = "LITERAL_BUDGET_EXCEEDED",
    /// The module threw.
    ExecutionThrew = "EXECUTION_THREW",
    /// The result is not a Group, Mesh, LineSegments or Points.
    InvalidReturnType = "INVALID_RETURN_TYPE",
    /// The module ran longer than it may.
    TimeoutExceeded = "TIMEOUT_EXCEEDED",
    /// The module used more memory than it may.
    HeapExceeded = "HEAP_EXCEEDED",
    /// The module reached a trapped global at run time.
    RuntimeViolation = "RUNTIME_VIOLATION",
    /// Nothing to see.
    EmptyScene = "EMPTY_SCENE",
    /// The scene leaves the unit cube, or its extent is not a number.
    BoundingBoxOutOfRange = "BOUNDING_BOX_OUT_OF_RANGE",
    /// A node met twice.
    CycleDetected = "CYCLE_DETECTED",
    /// Too many vertices.
    VertexLimitExceeded = "VERTEX_LIMIT_EXCEEDED",
    /// Too many draw calls.
    DrawCallLimitExceeded = "DRAW_CALL_LIMIT_EXCEEDED",
    /// Nested too deep.
    DepthLimitExceeded = "DEPTH_LIMIT_EXCEEDED",
    /// Too many instances.
    InstanceLimitExceeded = "INSTANCE_LIMIT_EXCEEDED",
    /// Too many texture bytes.
    TextureDataExceeded = "TEXTURE_DATA_EXCEEDED",
    /// More triangles, lines and points to draw than the published limit.
    DrawnPrimitivesExceeded = "DRAWN_PRIMITIVES_EXCEEDED",
    /// More different shader programs than the published limit.
    ShaderLimitExceeded = "SHADER_LIMIT_EXCEEDED",
    /// More attribute, index and node data than the published limit.
    SceneDataExceeded = "SCENE_DATA_EXCEEDED",
    /// The scene passed validation and cannot be drawn.
    RenderRunFailed = "RENDER_RUN_FAILED",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
