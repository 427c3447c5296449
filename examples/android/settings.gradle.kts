pluginManagement {
  repositories {
    google()
    mavenCentral()
    gradlePluginPortal()
  }
}

dependencyResolutionManagement {
  repositories {
    google()
    mavenCentral()
  }
  // The plugins' versions are the library's.
  versionCatalogs {
    create("libs") { from(files("../../mobile/android/gradle/libs.versions.toml")) }
  }
}

rootProject.name = "tiny-vlm-example"

include(":app")

// Stands for dev.tinyvlm:tiny-vlm.
includeBuild("../../mobile/android")
