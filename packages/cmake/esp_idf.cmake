# The component of ESP-IDF: inference, training, anomalies and link. What a program does not use is not linked.
set(sources "")
foreach(component infer train anomaly audio link)
  list(APPEND sources ${BYTEPROP_${component}_SOURCES})
endforeach()
list(TRANSFORM sources PREPEND src/)
idf_component_register(SRCS ${sources} INCLUDE_DIRS src)
