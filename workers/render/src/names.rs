//! Which names a module may use: globals, Three.js members, and what is known but refused.
//!
//! The static rules, the namespace handed to a module and the sandbox's traps all read these lists, so they cannot
//! drift apart. Source: render specification, identifier tables and Three.js tables.

/// Globals the miner documentation allows (6.1a).
#[rustfmt::skip]
pub const DOCUMENTED_GLOBALS: [&str; 34] = [
    "Math", "Number", "String", "Array", "Object", "Symbol", "JSON", "Map", "Set", "Boolean",
    "Error", "TypeError", "RangeError", "Infinity", "NaN", "undefined", "parseInt", "parseFloat",
    "isFinite", "isNaN", "BigInt", "ArrayBuffer", "DataView", "Int8Array", "Uint8Array",
    "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "Float32Array",
    "Float64Array", "BigInt64Array", "BigUint64Array",
];

/// Globals no document names and every live validator accepts (6.1b).
#[rustfmt::skip]
pub const TOLERATED_GLOBALS: [&str; 19] = [
    "arguments", "decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent", "escape",
    "unescape", "AggregateError", "EvalError", "ReferenceError", "SyntaxError", "URIError",
    "Float16Array", "Intl", "Iterator", "Promise", "RegExp", "WeakMap", "WeakSet",
];

/// Names that are refused wherever they are spelled (6.2).
#[rustfmt::skip]
pub const FORBIDDEN_NAMES: [&str; 33] = [
    "eval", "Function", "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch",
    "XMLHttpRequest", "WebSocket", "document", "window", "navigator", "localStorage",
    "sessionStorage", "indexedDB", "OffscreenCanvas", "HTMLCanvasElement", "crypto", "Date",
    "performance", "Proxy", "Reflect", "WeakRef", "FinalizationRegistry", "SharedArrayBuffer",
    "Atomics", "Worker", "process", "module", "global", "globalThis", "self", "require",
];

/// Names whose members may not be reached through brackets (6.3).
pub const BRACKET_GATED: [&str; 5] = ["THREE", "Math", "Object", "Array", "Symbol"];

/// Properties that reach code generation or replace accessors; refused when written with a dot (5.10).
#[rustfmt::skip]
pub const FORBIDDEN_PROPERTIES: [&str; 6] = [
    "constructor", "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__",
    "__lookupSetter__",
];

/// Members of the namespace a module may use (7.1). `LuminanceFormat` is allowed but absent from r183.
#[rustfmt::skip]
pub const ALLOWED_MEMBERS: [&str; 109] = [
    "BufferGeometry", "BufferAttribute", "InterleavedBuffer", "InterleavedBufferAttribute",
    "Float32BufferAttribute", "Uint8BufferAttribute", "Uint16BufferAttribute",
    "Uint32BufferAttribute", "Int8BufferAttribute", "Int16BufferAttribute",
    "Int32BufferAttribute", "BoxGeometry", "SphereGeometry", "CylinderGeometry",
    "CapsuleGeometry", "ConeGeometry", "TorusGeometry", "TorusKnotGeometry", "PlaneGeometry",
    "CircleGeometry", "RingGeometry", "TetrahedronGeometry", "OctahedronGeometry",
    "DodecahedronGeometry", "IcosahedronGeometry", "PolyhedronGeometry", "ExtrudeGeometry",
    "LatheGeometry", "ShapeGeometry", "TubeGeometry", "EdgesGeometry", "WireframeGeometry",
    "MeshStandardMaterial", "MeshPhysicalMaterial", "MeshBasicMaterial", "PointsMaterial",
    "LineBasicMaterial", "LineDashedMaterial", "DataTexture", "Vector2", "Vector3", "Vector4",
    "Matrix3", "Matrix4", "Quaternion", "Euler", "Box2", "Box3", "Sphere", "Plane", "Ray",
    "Line3", "Triangle", "Spherical", "Cylindrical", "Color", "MathUtils", "Curve", "CurvePath",
    "Shape", "Path", "CatmullRomCurve3", "CubicBezierCurve3", "LineCurve3",
    "QuadraticBezierCurve3", "EllipseCurve", "ArcCurve", "LineCurve", "SplineCurve",
    "QuadraticBezierCurve", "CubicBezierCurve", "Object3D", "Group", "Mesh", "InstancedMesh",
    "Line", "LineSegments", "Points", "SRGBColorSpace", "LinearSRGBColorSpace", "NoColorSpace",
    "FrontSide", "BackSide", "DoubleSide", "NormalBlending", "AdditiveBlending",
    "SubtractiveBlending", "MultiplyBlending", "NoBlending", "NearestFilter", "LinearFilter",
    "NearestMipmapNearestFilter", "LinearMipmapNearestFilter", "NearestMipmapLinearFilter",
    "LinearMipmapLinearFilter", "RepeatWrapping", "ClampToEdgeWrapping", "MirroredRepeatWrapping",
    "RGBAFormat", "RGBFormat", "RGFormat", "RedFormat", "LuminanceFormat", "UnsignedByteType",
    "HalfFloatType", "FloatType", "StaticDrawUsage", "DynamicDrawUsage", "StreamDrawUsage",
];

/// Members of `MathUtils` that stay out of reach: their results would differ from run to run.
pub const BLOCKED_MATH_UTILS: [&str; 2] = ["seededRandom", "generateUUID"];

/// Members that exist (or are widely believed to) and are refused by name (7.2).
#[rustfmt::skip]
pub const FORBIDDEN_MEMBERS: [&str; 130] = [
    "AmbientLight", "DirectionalLight", "PointLight", "SpotLight", "HemisphereLight",
    "RectAreaLight", "LightProbe", "AmbientLightProbe", "HemisphereLightProbe",
    "DirectionalLightShadow", "PointLightShadow", "SpotLightShadow", "LightShadow", "Loader",
    "LoadingManager", "FileLoader", "TextureLoader", "ImageLoader", "ImageBitmapLoader",
    "CubeTextureLoader", "DataTextureLoader", "BufferGeometryLoader", "MaterialLoader",
    "ObjectLoader", "FontLoader", "AudioLoader", "AnimationLoader", "CompressedTextureLoader",
    "GLTFLoader", "OBJLoader", "MTLLoader", "FBXLoader", "ColladaLoader", "STLLoader",
    "PLYLoader", "3MFLoader", "DRACOLoader", "KTX2Loader", "KTXLoader", "RGBELoader", "EXRLoader",
    "HDRCubeTextureLoader", "BasisTextureLoader", "TGALoader", "TIFFLoader", "SVGLoader",
    "USDZLoader", "VRMLLoader", "XYZLoader", "ShaderMaterial", "RawShaderMaterial",
    "MeshPhongMaterial", "MeshLambertMaterial", "MeshToonMaterial", "MeshNormalMaterial",
    "MeshMatcapMaterial", "MeshDepthMaterial", "MeshDistanceMaterial", "ShadowMaterial",
    "SpriteMaterial", "Material", "Texture", "CanvasTexture", "VideoTexture", "CompressedTexture",
    "CompressedArrayTexture", "CompressedCubeTexture", "CubeTexture", "Data3DTexture",
    "DataArrayTexture", "DepthTexture", "FramebufferTexture", "WebGLRenderer", "WebGL1Renderer",
    "WebGLRenderTarget", "WebGL3DRenderTarget", "WebGLArrayRenderTarget", "WebGLCubeRenderTarget",
    "WebGLMultipleRenderTargets", "Camera", "PerspectiveCamera", "OrthographicCamera",
    "ArrayCamera", "StereoCamera", "CubeCamera", "Scene", "Fog", "FogExp2", "AnimationMixer",
    "AnimationAction", "AnimationClip", "AnimationObjectGroup", "AnimationUtils", "KeyframeTrack",
    "NumberKeyframeTrack", "VectorKeyframeTrack", "QuaternionKeyframeTrack", "ColorKeyframeTrack",
    "StringKeyframeTrack", "BooleanKeyframeTrack", "PropertyBinding", "PropertyMixer", "Bone",
    "Skeleton", "SkinnedMesh", "SkeletonHelper", "Audio", "PositionalAudio", "AudioAnalyser",
    "AudioContext", "AudioListener", "Sprite", "LOD", "BatchedMesh", "ArrowHelper", "AxesHelper",
    "BoxHelper", "Box3Helper", "CameraHelper", "GridHelper", "PolarGridHelper",
    "HemisphereLightHelper", "DirectionalLightHelper", "PointLightHelper", "SpotLightHelper",
    "PlaneHelper", "Raycaster", "Clock", "EventDispatcher", "Layers",
];

/// Globals that throw when a module reads them at run time, beyond being refused by name.
#[rustfmt::skip]
pub const TRAPPED_GLOBALS: [&str; 34] = [
    "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch", "XMLHttpRequest",
    "WebSocket", "document", "window", "navigator", "localStorage", "sessionStorage", "indexedDB",
    "OffscreenCanvas", "HTMLCanvasElement", "crypto", "Date", "performance", "Proxy", "Reflect",
    "WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics", "Worker", "process",
    "global", "globalThis", "self", "require", "eval", "Function", "Temporal", "WebAssembly",
];

/// Whether a global may be used without a local binding of its name.
pub fn is_allowed_global(name: &str) -> bool {
    DOCUMENTED_GLOBALS.contains(&name) || TOLERATED_GLOBALS.contains(&name)
}
