package policy

// Plan is a container that a policy has approved. Only [Policy.Approve] makes one; the zero Plan is approved by nobody
// and the runtime refuses it.
type Plan struct {
	container *Container
}

// Approved reports whether a policy made this plan.
func (p Plan) Approved() bool { return p.container != nil }

// Container returns a copy of what was approved; the zero value for the zero Plan.
func (p Plan) Container() Container {
	if p.container == nil {
		return Container{}
	}
	return p.container.clone()
}
