package mcpserver

import (
	"context"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// The specification wants the acknowledgement before everything else. A change that comes in between is no loss: the list
// that a client asks for after the acknowledgement has it.
func TestASubscriptionIsInForceOnceItIsAcknowledged(t *testing.T) {
	sent := make(chan any)
	s := &requestSession{session: newSession(t.Context(), func(_ context.Context, notification any) error {
		sent <- notification
		return nil
	})}
	wanted := mcp.SubscriptionFilter{ToolsListChanged: true}
	s.SetSubscriptionFilter(wanted)
	if filter, active := s.SubscriptionFilter(); !active || !filter.IsEmpty() {
		t.Errorf("before the acknowledgement: got %+v", filter)
	}
	acknowledgement := mcp.JSONRPCNotification{Notification: mcp.Notification{Method: mcp.MethodNotificationSubscriptionsAcknowledged}}
	s.NotificationChannel() <- acknowledgement
	<-sent
	if filter, active := s.SubscriptionFilter(); !active || !filter.ToolsListChanged {
		t.Errorf("after the acknowledgement: got %+v", filter)
	}
	s.finish()
}
