plugins {
  id("com.android.application") version libs.versions.agp apply false
  id("org.jetbrains.kotlin.plugin.compose") version libs.versions.kotlin apply false
  alias(libs.plugins.kotlin.android) apply false
}
