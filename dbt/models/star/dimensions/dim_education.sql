{{ dimension_members(ref('education'), 'education', 'education', ['isced_min', 'isced_max', 'isced_default', 'mapping_quality']) }}
