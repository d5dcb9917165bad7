// swift-tools-version:5.9
import PackageDescription

// `build-xcframework` puts the generated sources and the framework in place.
let package = Package(
    name: "Branchline",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Branchline", targets: ["Branchline"])],
    targets: [
        .binaryTarget(name: "BranchlineFFI", path: "build/BranchlineFFI.xcframework"),
        .target(name: "Branchline", dependencies: ["BranchlineFFI"]),
    ]
)
